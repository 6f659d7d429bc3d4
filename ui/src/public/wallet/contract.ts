/** The contract's calls, and its errors in words. */

import { BaseError, ContractFunctionRevertedError, parseAbi } from "viem";
import { TERMS_ABI } from "../campaign/checks";

const STRUCTS = [
  "struct AuditTerms { uint8 mode; address auditor; uint32 period; bytes32 keys; }",
  `struct Terms { ${TERMS_ABI.slice(1, -1)
    .replace(/\([^)]*\) audit/, "AuditTerms audit")
    .split(",")
    .join("; ")}; }`,
  "struct Submission { address miner; bytes32 content; }",
  "struct Publication { bytes32 material; bytes32 root; bytes32 handover; }",
  "struct Ledger { uint256 deposited; uint256 paid; uint256 owed; uint256 refunded; uint256 fee; uint256 escrowed; }",
];

const FUNCTIONS = [
  "function close(Terms t)",
  "function refund(Terms t)",
  "function release(Terms t)",
  "function expire(Terms t)",
  "function withdraw(Terms t, address to)",
  "function withdrawStake(Terms t, address to)",
  "function abandon(Terms t, bytes32 windowStart, Submission[] pending)",
  "function settle(Terms t, bytes32 windowStart, Submission[] subs, uint16[] outcomes, Publication next, uint8 close, bytes sig)",
  "function ledger(Terms t) view returns (Ledger)",
];

/** Every error of the contract, with what it means. */
const ERRORS: Record<string, string> = {
  "OutOfRange(string field, uint256 value, uint256 min, uint256 max)":
    "A field of the terms is outside its range",
  "NotOwner(address owner, address sender)": "Only the owner of the campaign may do this",
  "UnknownCampaign(bytes32 id)": "The contract knows no campaign with these terms",
  "WrongState(bytes32 id, uint8 actual, uint8 needed)":
    "The campaign is not in the state that this needs; it may have changed a moment ago",
  "NotOpen(bytes32 id, uint8 actual)": "The campaign takes no submissions in this state",
  "DeadlinePassed(uint64 deadline)": "The deadline has passed",
  "TooEarly(uint64 notBefore)": "This is not allowed yet",
  "TooLate(uint64 end)": "This is not allowed any more",
  "WindowOpen(uint32 window, uint64 closesAt)": "The current window still takes submissions",
  "UnsettledWindow(uint32 window, uint32 count)": "The window has submissions that must be settled first",
  "AlreadyClosing(bytes32 id)": "The end of the campaign was announced before",
  "WrongWindow(bytes32 expected, bytes32 given)":
    "The window has other submissions than the page knew; reload and try again",
  "CapsuleTimedOut(bytes32 id)": "The Capsule missed a deadline, so there is no fee left to earn",
  "NothingOwed(bytes32 id, address account)": "This account has no credit in this campaign",
  "ZeroAddress()": "Money cannot go to the zero address",
  "TransferFailed(address to, uint256 amount)": "The recipient did not accept the ETH",
};

export const CAMPAIGNS_ABI = parseAbi([
  ...STRUCTS,
  ...FUNCTIONS,
  ...Object.keys(ERRORS).map(error => `error ${error}`),
] as readonly string[]);

/** What a failed call means, in words. */
export function callError(error: unknown): { text: string; rejected: boolean } {
  if (isRejection(error)) return { text: "You rejected the request in the wallet.", rejected: true };
  if (error instanceof BaseError) {
    const reverted = error.walk(cause => cause instanceof ContractFunctionRevertedError);
    const name = reverted instanceof ContractFunctionRevertedError ? reverted.data?.errorName : undefined;
    const words = Object.entries(ERRORS).find(([signature]) => signature.startsWith(`${name}(`))?.[1];
    return { text: words ? `${words} (${name}).` : error.shortMessage, rejected: false };
  }
  return { text: error instanceof Error ? error.message : String(error), rejected: false };
}

/** EIP-1193: the user rejected the request. */
const USER_REJECTED = 4001;

function isRejection(error: unknown): boolean {
  for (
    let cause = error;
    typeof cause === "object" && cause !== null;
    cause = (cause as { cause?: unknown }).cause
  ) {
    if ((cause as { code?: unknown }).code === USER_REJECTED) return true;
  }
  return false;
}
