// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// @notice State of a campaign. `Proposed -> Open -> Closed -> Finalized -> Released`, or `Finalized -> Convicted`, or
/// `Proposed -> Refunded`.
enum State {
    None,
    Proposed,
    Open,
    Closed,
    Finalized,
    Refunded,
    Released,
    Convicted
}

/// @notice Reason for closing a campaign. An open campaign with the reason `Owner` closes when its window is settled.
enum CloseReason {
    None,
    Target,
    Deadline,
    LeakBudget,
    Owner,
    Limit,
    CapsuleTimeout
}

/// @notice Parameters of the audit.
struct AuditTerms {
    /// Who verifies the Capsule. Zero is the only mode yet: its word is believed, and the owner audits it afterwards.
    uint8 mode;
    /// The operator who verifies the Capsule; zero in mode zero.
    address auditor;
    /// Audit period in seconds: how long fee and stake of the Capsule stay locked after the delivery.
    uint32 period;
    /// Merkle root over the audit keys, to which the Capsule seals the seed of each version; zero without audit keys.
    bytes32 keys;
}

/// @notice The terms of a campaign, which never change. The campaign's id is their hash, so callers pass them and the
/// contract stores no copy.
struct Terms {
    /// The data scientist.
    address owner;
    /// ERC-20 of the bounty, or zero for ETH.
    address token;
    /// The bounty in the token's smallest unit.
    uint128 bounty;
    /// Claimed starting accuracy.
    uint32 startPpm;
    /// Tolerance: maximum difference of the measured starting accuracy from the claim.
    uint32 tolerancePpm;
    /// Target accuracy that pays the full bounty.
    uint32 targetPpm;
    /// Accuracy grid: attested accuracies are multiples of this.
    uint32 gridPpm;
    /// Maximum number of submissions.
    uint32 maxSubmissions;
    /// Maximum number of accepted submissions.
    uint16 maxAccepts;
    /// Number of submissions that fill a window.
    uint16 windowSize;
    /// Time in seconds from the first submission of a window until it closes, full or not.
    uint32 windowSeconds;
    /// Maximum number of submissions of one miner per version.
    uint16 capPerVersion;
    /// Deadline: unix time after which no update can be submitted.
    uint64 deadline;
    /// Time limit in seconds for the Capsule to activate the campaign.
    uint32 activationSeconds;
    /// Time limit in seconds for the Capsule to settle a closed window.
    uint32 evaluationSeconds;
    /// Time limit in seconds for the Capsule to finalize the campaign after it has closed.
    uint32 deliverySeconds;
    /// Parameters of the audit.
    AuditTerms audit;
    /// The Capsule's operator in the registry, which has its attestation key.
    address capsule;
    /// The Capsule's maximum fee in parts per million of the bounty.
    uint32 feePpm;
    /// Part of the Capsule's stake that the campaign locks, in wei.
    uint128 stake;
    /// Stake that a miner deposits with a submission, in wei: a multiple of a millionth of the native token.
    uint128 submissionStake;
    /// sha2-256 digest of the manifest's IPFS block.
    bytes32 manifest;
    /// Salt that distinguishes campaigns with otherwise equal terms.
    bytes32 salt;
}

/// @notice Commitments of the Capsule to a version. Zero if there is no version.
struct Publication {
    /// sha2-256 digest of the IPFS block of the material.
    bytes32 material;
    /// Merkle root over the material's chunks.
    bytes32 root;
    /// Hash of the hand-over's commitment, point and ciphertext.
    bytes32 handover;
}

/// @notice The hand-over of a version's seed to the owner. Everything that was published for the version follows from
/// the seed.
struct Handover {
    /// Merkle root over the material's chunks, as published.
    bytes32 root;
    /// The Capsule's commitment to the seed.
    bytes32 commitment;
    /// The x coordinate of a point on secp256k1 with an even y, created only for this hand-over.
    bytes32 point;
    /// The seed, masked by a hash of the shared secret of point and owner's key.
    bytes32 ciphertext;
}

/// @notice Proof that a hand-over does not decrypt.
struct KeyProof {
    /// The owner's secret key for the version.
    uint256 key;
    /// Merkle path from the key's leaf to `Terms.audit.keys`.
    bytes32[] branch;
}

/// @notice Proof that a published word is not honest.
struct WordProof {
    /// The version's seed.
    bytes32 seed;
    /// The encryption's constants, whose hash is in the header.
    bytes params;
    /// The material's header.
    bytes header;
    /// Merkle path from the header's leaf to the material's root.
    bytes32[] headerBranch;
    /// The chunk that has the word.
    bytes chunk;
    /// Merkle path from the chunk's leaf to the material's root.
    bytes32[] chunkBranch;
    /// Index of the word, counted over rows and public key.
    uint32 word;
}

/// @notice A sealed update.
struct Submission {
    /// Address of the miner.
    address miner;
    /// sha2-256 digest of its IPFS block.
    bytes32 content;
}

/// @notice Current status of a campaign.
struct Status {
    State state;
    CloseReason reason;
    /// Version of the model that submissions are for; 1 after activation.
    uint32 version;
    uint32 bestPpm;
    uint32 accepts;
    uint32 submissions;
    /// Number of settled windows, which is the index of the current one.
    uint32 windowIndex;
    /// Number of submissions in the current window.
    uint32 windowCount;
    /// Unix time at which the current window closes or has closed; 0 while it is empty.
    uint64 windowClosesAt;
    /// Unix time of the last change of state: opened, activated, closed or finalized.
    uint64 changedAt;
    bytes32 windowHash;
    /// Commitments of the Capsule to the current version.
    bytes32 material;
}

/// @notice The current window of a campaign.
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

/// @notice The ledger of a campaign's bounty and fee. `deposited = paid + owed + refunded + fee + escrowed` at every
/// block. Stakes are not part of it.
struct Ledger {
    uint256 deposited;
    /// Miners' earnings that they withdrew.
    uint256 paid;
    /// Miners' earnings that they can withdraw.
    uint256 owed;
    /// Amount credited back to the owner.
    uint256 refunded;
    /// Amount credited to the Capsule.
    uint256 fee;
    /// Amount still in escrow.
    uint256 escrowed;
}

/// @notice An account's stakes in a campaign, in wei.
struct Stakes {
    /// Held for unsettled submissions.
    uint256 held;
    /// Returned: used for the account's next submissions, or can be withdrawn.
    uint256 free;
    /// Amount that the account's next submission must send: what is missing to a whole stake.
    uint256 due;
}

/// @title Campaigns: a bounty in escrow, paid by attested improvements of accuracy.
interface ICampaigns {
    /// @notice A bounty went into escrow.
    /// `windowStart` is the hash of the first window while it is empty.
    event Opened(bytes32 indexed id, address indexed owner, address indexed capsule, Terms terms, bytes32 windowStart);
    /// @notice The Capsule measured the starting accuracy and published version 1. Updates are encrypted to
    /// `certificate`, an IPFS digest (sha2-256).
    event Activated(bytes32 indexed id, uint32 startPpm, Publication first, bytes32 certificate);
    /// @notice The Capsule declined the campaign.
    event Declined(bytes32 indexed id, uint8 reason);
    /// @notice A campaign that was never active returned bounty and fee.
    event Refunded(bytes32 indexed id, uint256 amount);
    /// @notice A miner submitted an update; `index` is its place in the window.
    event Submitted(
        bytes32 indexed id, address indexed miner, uint32 version, uint32 window, uint32 index, bytes32 content
    );
    /// @notice A window was settled. `version` is the version that its submissions were for, `windowStart` the hash of
    /// the next window while it is empty.
    event Settled(
        bytes32 indexed id,
        uint32 window,
        uint32 version,
        uint16[] outcomes,
        uint32 bestPpm,
        Publication next,
        bytes32 windowStart
    );
    /// @notice Submissions of a window that were not accepted paid, in wei: `toCapsule` for its gas, the rest is burned.
    event Charged(bytes32 indexed id, uint32 window, uint256 toCapsule, uint256 burned);
    /// @notice An accepted submission earned its part of the bounty.
    event Awarded(
        bytes32 indexed id, address indexed miner, uint32 window, uint32 index, uint32 deltaPpm, uint256 amount
    );
    /// @notice The owner announced the end of the campaign: it closes when the current window is settled.
    event Closing(bytes32 indexed id);
    /// @notice A campaign closed and credited its owner `refunded`.
    event Closed(bytes32 indexed id, CloseReason reason, uint256 refunded);
    /// @notice The Capsule delivered the model, and handed over the seeds of its versions.
    event Finalized(bytes32 indexed id, bytes32 result, Handover[] handovers);
    /// @notice The Capsule's stake was freed and its `fee` credited; the rest of the deposited fee, `refunded`, went to
    /// the owner.
    event Released(bytes32 indexed id, uint256 fee, uint256 refunded);
    /// @notice The Capsule was convicted for a version. The deposited fee, `refunded`, went to the owner, and a part of
    /// the stake, `compensation` in wei.
    event Convicted(bytes32 indexed id, uint32 version, uint256 refunded, uint256 compensation);
    /// @notice The Capsule did not deliver in time. The deposited fee, `refunded`, went to the owner, and a part of the
    /// stake, `compensation` in wei.
    event Expired(bytes32 indexed id, uint256 refunded, uint256 compensation);
    /// @notice An account withdrew its credit from a campaign.
    event Withdrawn(bytes32 indexed id, address indexed account, address to, uint256 amount);
    /// @notice An account withdrew its free stakes from a campaign, or the Capsule what submissions paid for its gas.
    event StakeWithdrawn(bytes32 indexed id, address indexed account, address to, uint256 amount);

    /// @notice A field of the terms is outside its range.
    error OutOfRange(string field, uint256 value, uint256 min, uint256 max);
    /// @notice The target is not above the starting accuracy.
    error TargetNotAboveStart(uint32 startPpm, uint32 targetPpm);
    /// @notice A value is not a multiple of the campaign's grid.
    error OffGrid(string field, uint32 ppm, uint32 gridPpm);
    /// @notice A field of the terms is not a multiple of its unit.
    error OffUnit(string field, uint256 value, uint256 unit);
    /// @notice Only the owner in the terms may do this.
    error NotOwner(address owner, address sender);
    /// @notice This Capsule is not registered.
    error UnknownCapsule(address capsule);
    /// @notice The registry has another fee for this Capsule.
    error FeeMismatch(uint32 registeredPpm, uint32 givenPpm);
    /// @notice A campaign with these terms exists already.
    error DuplicateCampaign(bytes32 id);
    /// @notice This mode does not exist.
    error UnknownMode(uint8 mode, address auditor);
    /// @notice The ETH sent is not the required amount.
    error WrongValue(uint256 expected, uint256 sent);
    /// @notice The token delivered another amount than requested.
    error WrongAmountReceived(uint256 expected, uint256 received);
    /// @notice ETH needs no permit.
    error PermitForEth();
    /// @notice No campaign has this id (or: no campaign has these terms).
    error UnknownCampaign(bytes32 id);
    /// @notice The campaign is not in the required state.
    error WrongState(bytes32 id, State actual, State needed);
    /// @notice The campaign takes no submissions in this state.
    error NotOpen(bytes32 id, State actual);
    /// @notice The deadline has passed.
    error DeadlinePassed(uint64 deadline);
    /// @notice This is not allowed yet.
    error TooEarly(uint64 notBefore);
    /// @notice This is not allowed any more.
    error TooLate(uint64 end);
    /// @notice The submission is for another version than the current one.
    error StaleVersion(uint32 current);
    /// @notice The window takes no more submissions; the next opens when it is settled.
    error WindowClosed(uint32 window, uint64 closedAt);
    /// @notice The miner has reached the limit of submissions to this version.
    error CapReached(uint16 cap);
    /// @notice The campaign has reached its limit of submissions.
    error LimitReached(uint32 maxSubmissions);
    /// @notice The window still takes submissions until `closesAt`; 0 if it has none yet.
    error WindowOpen(uint32 window, uint64 closesAt);
    /// @notice The window has submissions that must be settled first.
    error UnsettledWindow(uint32 window, uint32 count);
    /// @notice The end of the campaign was announced before.
    error AlreadyClosing(bytes32 id);
    /// @notice The number of submissions or outcomes is not that of the window.
    error WrongCount(uint256 submissions, uint256 outcomes, uint32 windowCount);
    /// @notice The given submissions are not those of the window, in order.
    error WrongWindow(bytes32 expected, bytes32 given);
    /// @notice The attestation was not signed by the Capsule's present attester for this chain, contract and content.
    error WrongSigner(address attester, address recovered);
    /// @notice The measured starting accuracy is too far from the claim.
    error StartOutOfTolerance(uint32 claimedPpm, uint32 measuredPpm, uint32 tolerancePpm);
    /// @notice The outcome code is unknown.
    error BadOutcome(uint256 index, uint16 outcome);
    /// @notice An accepted accuracy does not improve on the best before it, or is above 100 %.
    error BadStep(uint256 index, uint256 ppm, uint32 bestPpm);
    /// @notice More submissions were accepted than a window or the campaign allows.
    error TooManyAccepts(uint256 accepts, uint256 limit);
    /// @notice Material for a next version must be given if and only if there will be one.
    error BadMaterial(bool needed);
    /// @notice A finalized campaign needs one hand-over per version.
    error WrongHandovers(uint256 given, uint256 versions);
    /// @notice The hand-over is not the one that the Capsule committed to when it published the version.
    error WrongHandover(uint256 version);
    /// @notice An attestation cannot close a campaign for this reason.
    error BadCloseReason(uint8 reason);
    /// @notice The Capsule missed a deadline, so there is no fee left to earn.
    error CapsuleTimedOut(bytes32 id);
    /// @notice The account has no credit in this campaign.
    error NothingOwed(bytes32 id, address account);
    /// @notice Money cannot go to the zero address.
    error ZeroAddress();
    /// @notice The recipient did not accept the ETH.
    error TransferFailed(address to, uint256 amount);

    /// @notice Opens a campaign and takes bounty and fee into escrow. Sent by the owner.
    function open(Terms calldata t) external payable returns (bytes32 id);
    /// @notice As `open`, with a permit of the token (EIP-2612) in the same transaction.
    function openWithPermit(Terms calldata t, uint256 permitDeadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (bytes32 id);
    /// @notice Opens a proposed campaign for submissions. Anyone may send the Capsule's `Activation`. Locks the stake if
    /// the terms are within the operator's limits.
    /// @param certificate IPFS digest of the OpenPGP certificate to which updates are encrypted.
    function activate(
        Terms calldata t,
        uint32 startPpm,
        Publication calldata first,
        bytes32 certificate,
        bytes calldata sig
    ) external;
    /// @notice Refunds a proposed campaign that its Capsule declined. Anyone may send the Capsule's `Decline`.
    function decline(Terms calldata t, uint8 reason, bytes calldata sig) external;
    /// @notice Refunds a campaign that was not activated in time. Anyone may call.
    function refund(Terms calldata t) external;
    /// @notice Submits a sealed update to the current version, with exactly the stake that `stakesOf` returns as due:
    /// zero if a whole one was returned.
    function submit(bytes32 id, uint32 version, bytes32 content) external payable;
    /// @notice Settles the current window once it is closed. Anyone may send the Capsule's `Settlement`.
    /// @param windowStart The window's hash while it was empty.
    /// @param subs The window's submissions in order.
    /// @param outcomes Per submission: 0 not improved; 1..0xEFFF accepted, the new best in grid steps;
    /// 0xF001..0xF0FF rejected, of which 0xF001 is unavailable. Not improved and unavailable pay an eighth of the stake,
    /// other rejections all of it.
    /// @param next Commitments to the next version if a submission was accepted, even if the campaign closes; else zero.
    /// @param close 0, or `CloseReason.LeakBudget`.
    function settle(
        Terms calldata t,
        bytes32 windowStart,
        Submission[] calldata subs,
        uint16[] calldata outcomes,
        Publication calldata next,
        uint8 close,
        bytes calldata sig
    ) external;
    /// @notice Closes an open campaign: its owner at any time, anyone after the deadline. If the owner closes while a
    /// window is open, the campaign closes when that is settled. There is no way back, and no other window opens.
    function close(Terms calldata t) external;
    /// @notice Records the delivery of a closed campaign. Anyone may send the Capsule's `Delivery`.
    /// @param handovers Hand-overs of all versions, in order. They are not signed, because the commitments determine
    /// them.
    function finalize(Terms calldata t, bytes32 result, Handover[] calldata handovers, bytes calldata sig) external;
    /// @notice Frees the stake of a Capsule that has delivered, and pays its fee. Anyone may call after `audit.period`;
    /// nobody before.
    function release(Terms calldata t) external;
    /// @notice Slashes the stake of a Capsule because the hand-over of a version does not decrypt. The fee and a tenth of
    /// the stake go to the owner; the rest is burned. Publishes the seed of that version, if there is one.
    function convictHandover(Terms calldata t, uint32 version, Handover calldata h, KeyProof calldata proof) external;
    /// @notice As `convictHandover`, because a published word of a version is not honest. Publishes the seed of that
    /// version, and with it that version of the model.
    function convictMaterial(Terms calldata t, uint32 version, Handover calldata h, WordProof calldata proof) external;
    /// @notice Closes a campaign whose Capsule did not settle a window in time. Anyone may call. Each submission gets
    /// its stake back and a fixed share of a tenth of the Capsule's stake; the rest of that is burned.
    /// @param windowStart The window's hash while it was empty.
    /// @param pending The window's submissions in order.
    function abandon(Terms calldata t, bytes32 windowStart, Submission[] calldata pending) external;
    /// @notice Expires a campaign whose Capsule did not deliver in time. Anyone may call. The fee goes to the owner, and
    /// for a bounty in ETH its amount once more from the Capsule's stake, but at most a tenth of that. The rest of the
    /// stake is burned.
    function expire(Terms calldata t) external;
    /// @notice Sends the caller's whole credit in a campaign to `to`.
    function withdraw(Terms calldata t, address to) external;
    /// @notice Sends the caller's free stakes in a campaign to `to`, and a Capsule's share of what submissions paid.
    /// Separate from `withdraw`, so that a faulty bounty token cannot block them.
    function withdrawStake(Terms calldata t, address to) external;

    /// @notice The campaign id of these terms on this chain and contract.
    function campaignId(Terms calldata t) external view returns (bytes32);
    /// @notice Current status of a campaign; all zero if it does not exist.
    function status(bytes32 id) external view returns (Status memory);
    /// @notice The current window.
    function window(bytes32 id) external view returns (Window memory);
    /// @notice Amount that an account can withdraw from a campaign.
    function owed(bytes32 id, address account) external view returns (uint256);
    /// @notice An account's stakes in a campaign.
    function stakesOf(bytes32 id, address account) external view returns (Stakes memory);
    /// @notice The ledger of a campaign.
    function ledger(Terms calldata t) external view returns (Ledger memory);
    /// @notice EIP-712 domain separator on this chain.
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
