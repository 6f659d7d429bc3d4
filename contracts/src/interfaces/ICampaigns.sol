// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// @notice Where a campaign stands. `Proposed -> Open -> Closed -> Finalized`, or `Proposed -> Refunded`.
enum State {
    None,
    Proposed,
    Open,
    Closed,
    Finalized,
    Refunded
}

/// @notice Why a campaign closed.
enum CloseReason {
    None,
    Target,
    Deadline,
    LeakBudget,
    Owner,
    Limit,
    CapsuleTimeout
}

/// @notice How the owner of a campaign audits what its Capsule published.
struct AuditTerms {
    /// Seconds after the delivery for which the Capsule's stake stays locked.
    uint32 period;
    /// Merkle root over the keys to which the Capsule seals the seed of each version; zero if it hands over none.
    bytes32 keys;
}

/// @notice The facts of a campaign that never change. The campaign's id is their hash, so whoever calls brings them
/// along and the contract stores no copy.
struct Terms {
    /// The data scientist.
    address owner;
    /// ERC-20 of the bounty, or zero for ETH.
    address token;
    /// The bounty in the token's smallest unit.
    uint128 bounty;
    /// Claimed starting accuracy.
    uint32 startPpm;
    /// How far the measured starting accuracy may be from the claim.
    uint32 tolerancePpm;
    /// Accuracy that earns the whole bounty.
    uint32 targetPpm;
    /// Accuracies are multiples of this.
    uint32 gridPpm;
    /// Submissions in all.
    uint32 maxSubmissions;
    /// Accepted submissions in all.
    uint16 maxAccepts;
    /// Submissions that fill a window.
    uint16 windowSize;
    /// Seconds after its first submission at which a window closes, full or not.
    uint32 windowSeconds;
    /// Submissions of one miner to one version.
    uint16 capPerVersion;
    /// Unix time after which nothing is submitted.
    uint64 deadline;
    /// Seconds the Capsule has to activate the campaign.
    uint32 activationSeconds;
    /// Seconds the Capsule has to settle a window that closed.
    uint32 evaluationSeconds;
    /// Seconds the Capsule has to finalize the campaign after it closed.
    uint32 deliverySeconds;
    /// How the owner audits what was published.
    AuditTerms audit;
    /// The Capsule's operator in the registry.
    address capsule;
    /// The Capsule's attestation key.
    address attester;
    /// The Capsule's fee in parts per million of the bounty.
    uint32 feePpm;
    /// Wei of the Capsule's stake that the campaign locks while it runs.
    uint128 stake;
    /// Wei that a miner deposits with a submission, in whole millionths of a coin.
    uint128 submissionStake;
    /// sha2-256 digest of the manifest's IPFS block.
    bytes32 manifest;
    /// Makes otherwise equal campaigns different.
    bytes32 salt;
}

/// @notice What the Capsule published for a version. Zero if there is no version.
struct Publication {
    /// sha2-256 digest of the IPFS block of the material.
    bytes32 material;
    /// Merkle root over the material's chunks.
    bytes32 root;
    /// Hash of the hand-over's commitment, point and ciphertext.
    bytes32 handover;
}

/// @notice How the owner gets the seed of a version, from which everything that was published for it follows.
struct Handover {
    /// As published.
    bytes32 root;
    /// The Capsule's commitment to the seed.
    bytes32 commitment;
    /// The x coordinate of a point on secp256k1 with an even y, made for this hand-over only.
    bytes32 point;
    /// The seed, hidden by a hash of what point and owner's key have in common.
    bytes32 ciphertext;
}

/// @notice Shows that a hand-over does not open.
struct KeyProof {
    /// The owner's secret key for the version.
    uint256 key;
    /// From the key's leaf to `Terms.audit.keys`.
    bytes32[] branch;
}

/// @notice Shows that a published word cannot be an honest one.
struct WordProof {
    /// The version's seed.
    bytes32 seed;
    /// The encryption's constants, whose hash is in the header.
    bytes params;
    /// The material's header.
    bytes header;
    /// From the header's leaf to the material's root.
    bytes32[] headerBranch;
    /// The chunk that has the word.
    bytes chunk;
    /// From the chunk's leaf to the material's root.
    bytes32[] chunkBranch;
    /// Which word, counted over rows and public key.
    uint32 word;
}

/// @notice One sealed update.
struct Submission {
    /// Who sent it.
    address miner;
    /// sha2-256 digest of its IPFS block.
    bytes32 content;
}

/// @notice What changes during a campaign's life.
struct Status {
    State state;
    CloseReason reason;
    /// Version of the model that submissions are for; 1 after activation.
    uint32 version;
    uint32 bestPpm;
    uint32 accepts;
    uint32 submissions;
    /// Windows settled so far, which is the index of the present one.
    uint32 windowIndex;
    /// Submissions in the present window.
    uint32 windowCount;
    /// When the present window closes or closed; 0 while it is empty.
    uint64 windowClosesAt;
    /// When the campaign was opened, activated, closed or finalized, whichever was last.
    uint64 changedAt;
    bytes32 windowHash;
    /// What the Capsule published for the present version.
    bytes32 material;
}

/// @notice The present window of a campaign.
struct Window {
    uint32 version;
    uint32 index;
    uint32 count;
    /// 0 while the window is empty.
    uint64 closesAt;
    /// Whether it can be settled now.
    bool closed;
    bytes32 hash;
}

/// @notice Where a campaign's bounty and fee are. `deposited = paid + owed + refunded + fee + escrowed` at every moment.
/// Stakes are not part of it.
struct Ledger {
    uint256 deposited;
    /// Miners' earnings that they withdrew.
    uint256 paid;
    /// Miners' earnings that they can withdraw.
    uint256 owed;
    /// What was credited back to the owner.
    uint256 refunded;
    /// What was credited to the Capsule.
    uint256 fee;
    /// What is not yet anybody's.
    uint256 escrowed;
}

/// @notice An account's stakes in a campaign, in wei of the chain's own coin.
struct Stakes {
    /// Behind submissions that are not settled.
    uint256 held;
    /// Returned: stands behind the account's next submissions, or is withdrawn.
    uint256 free;
    /// What the account's next submission must send.
    uint256 due;
    /// Whether a submission of the account was rejected. Each further one that is rejected forfeits its stake.
    bool warned;
}

/// @title Campaigns: a bounty in escrow, paid by attested improvements of accuracy.
interface ICampaigns {
    /// @notice A bounty went into escrow.
    event Opened(bytes32 indexed id, address indexed owner, Terms terms);
    /// @notice The Capsule measured the starting accuracy and published version 1.
    event Activated(bytes32 indexed id, uint32 startPpm, Publication first);
    /// @notice The Capsule will not run the campaign.
    event Declined(bytes32 indexed id, uint8 reason);
    /// @notice A campaign that never opened for submissions gave bounty and fee back.
    event Refunded(bytes32 indexed id, uint256 amount);
    /// @notice A miner submitted an update; `index` is its place in the window.
    event Submitted(
        bytes32 indexed id, address indexed miner, uint32 version, uint32 window, uint32 index, bytes32 content
    );
    /// @notice A window was settled. `version` is the one its submissions were for.
    event Settled(
        bytes32 indexed id, uint32 window, uint32 version, uint16[] outcomes, uint32 bestPpm, Publication next
    );
    /// @notice An accepted submission earned its part of the bounty.
    event Awarded(
        bytes32 indexed id, address indexed miner, uint32 window, uint32 index, uint32 deltaPpm, uint256 amount
    );
    /// @notice A campaign closed and credited its owner `refunded`.
    event Closed(bytes32 indexed id, CloseReason reason, uint256 refunded);
    /// @notice The Capsule delivered the model, and handed over the seeds of its versions.
    event Finalized(bytes32 indexed id, bytes32 result, Handover[] handovers);
    /// @notice The Capsule's stake is free again.
    event Released(bytes32 indexed id);
    /// @notice What the Capsule published for a version was not honest: its stake, `amount`, is the owner's.
    event Convicted(bytes32 indexed id, uint32 version, uint256 amount);
    /// @notice The Capsule did not deliver in time; its fee, `refunded`, went to the owner.
    event Expired(bytes32 indexed id, uint256 refunded);
    /// @notice An account took its credit in a campaign.
    event Withdrawn(bytes32 indexed id, address indexed account, address to, uint256 amount);

    /// @notice A submission was rejected, not the first of its miner in the campaign: its stake is the owner's.
    event Forfeited(bytes32 indexed id, address indexed miner, uint32 window, uint32 index, uint256 amount);
    /// @notice An account took its free stakes in a campaign.
    event StakeWithdrawn(bytes32 indexed id, address indexed account, address to, uint256 amount);

    /// @notice A field of the terms is outside its range.
    error OutOfRange(string field, uint256 value, uint256 min, uint256 max);
    /// @notice The target is not above the start.
    error TargetNotAboveStart(uint32 startPpm, uint32 targetPpm);
    /// @notice A value is not a multiple of the campaign's grid.
    error OffGrid(string field, uint32 ppm, uint32 gridPpm);
    /// @notice A field of the terms is not a multiple of its unit.
    error OffUnit(string field, uint256 value, uint256 unit);
    /// @notice Only the account that the terms name as owner may do this.
    error NotOwner(address owner, address sender);
    /// @notice The registry does not know this Capsule.
    error UnknownCapsule(address capsule);
    /// @notice The registry has another attestation key for this Capsule.
    error AttesterMismatch(address registered, address given);
    /// @notice The registry has another fee for this Capsule.
    error FeeMismatch(uint32 registeredPpm, uint32 givenPpm);
    /// @notice These terms have been opened before.
    error DuplicateCampaign(bytes32 id);
    /// @notice The ETH sent is not what must be sent.
    error WrongValue(uint256 expected, uint256 sent);
    /// @notice The token delivered another amount than was asked for.
    error WrongAmountReceived(uint256 expected, uint256 received);
    /// @notice ETH needs no permit.
    error PermitForEth();
    /// @notice No campaign has this id (or: no campaign has these terms).
    error UnknownCampaign(bytes32 id);
    /// @notice The campaign is in another state than this needs.
    error WrongState(bytes32 id, State actual, State needed);
    /// @notice The campaign takes no submissions in this state.
    error NotOpen(bytes32 id, State actual);
    /// @notice The deadline has passed.
    error DeadlinePassed(uint64 deadline);
    /// @notice This may only be done later.
    error TooEarly(uint64 notBefore);
    /// @notice The submission is for another version than the present one.
    error StaleVersion(uint32 current);
    /// @notice The window takes no more submissions; the next opens when it is settled.
    error WindowClosed(uint32 window, uint64 closedAt);
    /// @notice The miner has used up its submissions to this version.
    error CapReached(uint16 cap);
    /// @notice The campaign has all its submissions.
    error LimitReached(uint32 maxSubmissions);
    /// @notice The window still takes submissions until `closesAt`; 0 if it has none yet.
    error WindowOpen(uint32 window, uint64 closesAt);
    /// @notice The window has submissions that must be settled first.
    error UnsettledWindow(uint32 window, uint32 count);
    /// @notice The number of submissions or outcomes is not that of the window.
    error WrongCount(uint256 submissions, uint256 outcomes, uint32 windowCount);
    /// @notice The submissions given are not those of the window, in order.
    error WrongWindow(bytes32 expected, bytes32 given);
    /// @notice The attestation was not signed by the campaign's attester for this chain, contract and content.
    error WrongSigner(address attester, address recovered);
    /// @notice The measured starting accuracy is too far from the claim.
    error StartOutOfTolerance(uint32 claimedPpm, uint32 measuredPpm, uint32 tolerancePpm);
    /// @notice The outcome code means nothing.
    error BadOutcome(uint256 index, uint16 outcome);
    /// @notice An accepted accuracy does not improve on the best before it, or is above 100 %.
    error BadStep(uint256 index, uint256 ppm, uint32 bestPpm);
    /// @notice More submissions accepted than a window or the campaign allows.
    error TooManyAccepts(uint256 accepts, uint256 limit);
    /// @notice Material for a next version must be given exactly if there will be one.
    error BadMaterial(bool needed);
    /// @notice A finalized campaign needs one hand-over a version.
    error WrongHandovers(uint256 given, uint256 versions);
    /// @notice The hand-over is not the one that was sealed when the version was published.
    error WrongHandover(uint256 version);
    /// @notice An attestation cannot close a campaign for this reason.
    error BadCloseReason(uint8 reason);
    /// @notice The Capsule missed its time; there is no fee left to earn.
    error CapsuleTimedOut(bytes32 id);
    /// @notice The account has no credit in this campaign.
    error NothingOwed(bytes32 id, address account);
    /// @notice Money cannot go to the zero address.
    error ZeroAddress();
    /// @notice The receiver did not take the ETH.
    error TransferFailed(address to, uint256 amount);

    /// @notice Opens a campaign and takes bounty and fee into escrow. Sent by the owner.
    function open(Terms calldata t) external payable returns (bytes32 id);
    /// @notice As `open`, with the token's permission (EIP-2612) in the same transaction.
    function openWithPermit(Terms calldata t, uint256 permitDeadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (bytes32 id);
    /// @notice Opens a proposed campaign for submissions. Anyone may bring the Capsule's `Activation`.
    function activate(Terms calldata t, uint32 startPpm, Publication calldata first, bytes calldata sig) external;
    /// @notice Gives a proposed campaign back to its owner. Anyone may bring the Capsule's `Decline`.
    function decline(Terms calldata t, uint8 reason, bytes calldata sig) external;
    /// @notice Gives a campaign back that was not activated in time. Anyone may call.
    function refund(Terms calldata t) external;
    /// @notice Submits a sealed update to the present version, with exactly the stake that `stakesOf` says is due:
    /// none if a returned one is there.
    function submit(bytes32 id, uint32 version, bytes32 content) external payable;
    /// @notice Settles the present window once it is closed. Anyone may bring the Capsule's `Settlement`.
    /// @param subs The window's submissions in order.
    /// @param outcomes Per submission: 0 not improved; 1..0xEFFF accepted, the new best in grid steps;
    /// 0xF001..0xF0FF rejected.
    /// @param next What was published for the next version; zero if there is none.
    /// @param close 0, or `CloseReason.LeakBudget`.
    function settle(
        Terms calldata t,
        Submission[] calldata subs,
        uint16[] calldata outcomes,
        Publication calldata next,
        uint8 close,
        bytes calldata sig
    ) external;
    /// @notice Closes an open campaign without unsettled submissions: its owner at any time, anyone after the deadline.
    function close(Terms calldata t) external;
    /// @notice Records the delivery of a closed campaign. Anyone may bring the Capsule's `Delivery`.
    /// @param handovers Of all versions, in order. What was sealed leaves no choice, so nobody signs them.
    function finalize(Terms calldata t, bytes32 result, Handover[] calldata handovers, bytes calldata sig) external;
    /// @notice Frees the stake of a Capsule that delivered: its campaign's owner at any time, anyone after `audit.period`.
    function release(Terms calldata t) external;
    /// @notice Gives the stake of a Capsule to the owner, because the hand-over of a version does not open. Tells everybody
    /// the seed of that version, if there is one.
    function convictHandover(Terms calldata t, uint32 version, Handover calldata h, KeyProof calldata proof) external;
    /// @notice Gives the stake of a Capsule to the owner, because a word that was published for a version cannot be an
    /// honest one. Tells everybody the seed of that version, and with it that version of the model.
    function convictMaterial(Terms calldata t, uint32 version, Handover calldata h, WordProof calldata proof) external;
    /// @notice Closes a campaign whose Capsule did not settle a window in time. Anyone may call.
    /// @param pending The window's submissions in order; their miners share the Capsule's locked stake.
    function abandon(Terms calldata t, Submission[] calldata pending) external;
    /// @notice Gives fee and stake of a Capsule that did not deliver in time to the owner. Anyone may call.
    function expire(Terms calldata t) external;
    /// @notice Sends the caller's whole credit in a campaign to `to`.
    function withdraw(Terms calldata t, address to) external;
    /// @notice Sends the caller's free stakes in a campaign to `to`. Apart from `withdraw`, so that no bounty's token can
    /// keep them back.
    function withdrawStake(bytes32 id, address to) external;

    /// @notice The id that these terms have on this chain and contract.
    function campaignId(Terms calldata t) external view returns (bytes32);
    /// @notice What changes during a campaign's life; all zero if there is none.
    function status(bytes32 id) external view returns (Status memory);
    /// @notice The present window.
    function window(bytes32 id) external view returns (Window memory);
    /// @notice What an account can withdraw from a campaign.
    function owed(bytes32 id, address account) external view returns (uint256);
    /// @notice An account's stakes in a campaign.
    function stakesOf(bytes32 id, address account) external view returns (Stakes memory);
    /// @notice Where a campaign's money is.
    function ledger(Terms calldata t) external view returns (Ledger memory);
    /// @notice EIP-712 domain separator on this chain.
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
