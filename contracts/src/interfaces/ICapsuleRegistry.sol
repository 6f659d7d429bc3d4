// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// @notice Registration and stake of a Capsule.
struct Capsule {
    /// Key that signs attestations.
    address attester;
    /// Fee in parts per million of a campaign's bounty.
    uint32 feePpm;
    /// OpenPGP fingerprint: version 4 left-aligned in the first 20 bytes, or all 32 bytes of version 6.
    bytes32 fingerprint;
    /// IPFS digest (sha2-256) of the public OpenPGP certificate.
    bytes32 certificate;
    /// URL that the operator publishes.
    string endpoint;
    /// Stake in wei, including the locked part.
    uint256 stake;
    /// Part of the stake that campaigns have locked, in wei.
    uint256 locked;
}

/// @notice What a campaign of the operator's Capsule may demand at most. A campaign is activated only within them.
struct Limits {
    /// Most stake that one campaign may lock, in wei.
    uint128 stakePerCampaign;
    /// Most stake that all campaigns together may lock, in wei.
    uint128 stakeInAll;
    /// Most seconds from the activation to the deadline.
    uint32 longestRun;
    /// Most seconds of the audit period.
    uint32 longestAudit;
    /// Least seconds to settle a closed window.
    uint32 shortestEvaluation;
    /// Least seconds to deliver after the end.
    uint32 shortestDelivery;
    /// Most submissions to a campaign.
    uint32 maxSubmissions;
}

/// @notice What a campaign demands of a Capsule.
struct Exposure {
    /// Stake to lock, in wei.
    uint256 stake;
    /// Token of bounty and fee; zero for ETH.
    address token;
    /// The fee that the Capsule earns even if nothing is awarded, in the token's smallest unit.
    uint256 leastFee;
    uint64 deadline;
    uint32 evaluationSeconds;
    uint32 deliverySeconds;
    uint32 auditSeconds;
    uint32 maxSubmissions;
}

/// @notice Whether an operator's Capsule works for fees in a token.
struct TokenTerms {
    bool accepted;
    /// Least fee that a campaign pays even if nothing is awarded, in the token's smallest unit.
    uint128 leastFee;
}

/// @title The registry of Capsules, their keys, fees and stakes.
interface ICapsuleRegistry {
    /// @notice An operator registered its Capsule.
    event Registered(
        address indexed operator,
        address indexed attester,
        bytes32 fingerprint,
        bytes32 certificate,
        string endpoint,
        uint32 feePpm
    );
    /// @notice An operator changed its registration.
    event Updated(
        address indexed operator,
        address indexed attester,
        bytes32 fingerprint,
        bytes32 certificate,
        string endpoint,
        uint32 feePpm
    );
    /// @notice An operator deposited stake.
    event Deposited(address indexed operator, uint256 amount);
    /// @notice An operator withdrew free stake.
    event Unstaked(address indexed operator, uint256 amount);
    /// @notice An operator authorised a Campaigns contract to lock its stake, or revoked that.
    event Authorized(address indexed operator, address indexed campaigns, bool allowed);
    /// @notice An operator published the limits of its Capsule.
    event Limited(address indexed operator, Limits limits);
    /// @notice An operator published whether its Capsule works for fees in a token (zero: ETH).
    event TokenChosen(address indexed operator, address indexed token, bool accepted, uint128 leastFee);
    /// @notice A campaign locked stake.
    event Locked(address indexed operator, address indexed campaigns, bytes32 indexed id, uint256 amount);
    /// @notice A campaign released its lock.
    event Unlocked(address indexed operator, address indexed campaigns, bytes32 indexed id, uint256 amount);
    /// @notice A campaign slashed the stake that it had locked; `burned` of it went to nobody.
    event Slashed(
        address indexed operator, address indexed campaigns, bytes32 indexed id, uint256 amount, uint256 burned
    );
    /// @notice Slashed stake was credited to an account.
    event Credited(address indexed account, address indexed operator, bytes32 indexed id, uint256 amount);
    /// @notice An account withdrew its credit.
    event Claimed(address indexed account, address to, uint256 amount);

    /// @notice The operator has not registered.
    error NotRegistered(address operator);
    /// @notice The operator has already registered; use `update`.
    error AlreadyRegistered(address operator);
    /// @notice A field that must not be empty is empty.
    error Missing(string field);
    /// @notice The endpoint is longer than the registry stores.
    error EndpointTooLong(uint256 length, uint256 limit);
    /// @notice The fee is above the cap.
    error FeeTooHigh(uint32 feePpm, uint32 cap);
    /// @notice The operator has less free stake than requested.
    error InsufficientStake(address operator, uint256 free, uint256 wanted);
    /// @notice The operator has not authorised this Campaigns contract.
    error NotAuthorized(address operator, address campaigns);
    /// @notice This campaign already has a lock.
    error AlreadyLocked(address operator, address campaigns, bytes32 id);
    /// @notice The caller has no lock for this campaign.
    error NotLocked(address operator, address campaigns, bytes32 id);
    /// @notice The shares of a slashed stake are more than the stake.
    error SharesTooHigh(uint256 shares, uint256 amount);
    /// @notice The campaign demands more than the operator's published limit.
    error AboveLimit(string what, uint256 value, uint256 limit);
    /// @notice The campaign gives less than the operator's published least.
    error BelowLimit(string what, uint256 value, uint256 limit);
    /// @notice The operator's Capsule does not work for fees in this token.
    error TokenNotAccepted(address operator, address token);
    /// @notice The account has nothing to claim.
    error NothingToClaim(address account);
    /// @notice The recipient did not accept the ETH.
    error TransferFailed(address to, uint256 amount);

    /// @notice Registers the caller's Capsule; ETH sent along becomes stake.
    function register(
        address attester,
        bytes32 fingerprint,
        bytes32 certificate,
        string calldata endpoint,
        uint32 feePpm
    ) external payable;
    /// @notice Changes the caller's registration. Running campaigns keep the fee in their terms; attestations
    /// of the earlier attester count no more.
    function update(address attester, bytes32 fingerprint, bytes32 certificate, string calldata endpoint, uint32 feePpm)
        external;
    /// @notice Adds the ETH sent to the caller's stake.
    function deposit() external payable;
    /// @notice Authorises a Campaigns contract to lock the caller's stake, or revokes that. Existing locks stay.
    function authorize(address campaigns, bool allowed) external;
    /// @notice Publishes the limits of the caller's Capsule. Without limits no campaign is activated. Running campaigns
    /// are not affected.
    function setLimits(Limits calldata limits_) external;
    /// @notice Publishes whether the caller's Capsule works for fees in a token (zero: ETH), and the least fee.
    function setToken(address token, bool accepted, uint128 leastFee) external;
    /// @notice Withdraws free stake of the caller.
    function unstake(uint256 amount) external;
    /// @notice Withdraws the caller's share of slashed stakes.
    function claim(address to) external;

    /// @notice Locks part of an operator's free stake for a campaign of the calling Campaigns contract, if that is within
    /// the operator's limits. A campaign without stake is checked and locks nothing.
    function lock(address operator, bytes32 id, Exposure calldata e) external;
    /// @notice Releases the lock that the calling Campaigns contract made.
    function unlock(address operator, bytes32 id) external;
    /// @notice Slashes the stake that the calling Campaigns contract locked: credits `share` to each of `to`, and burns
    /// the rest.
    function slash(address operator, bytes32 id, address[] calldata to, uint256 share) external;

    /// @notice The registration and stake of an operator's Capsule; all zero if it has not registered.
    function capsule(address operator) external view returns (Capsule memory);
    /// @notice The limits of an operator's Capsule; all zero if it published none.
    function limits(address operator) external view returns (Limits memory);
    /// @notice Whether an operator's Capsule works for fees in a token.
    function tokenTerms(address operator, address token) external view returns (TokenTerms memory);
    /// @notice Present attester, and fee; zero attester if the operator has not registered.
    function quote(address operator) external view returns (address attester, uint32 feePpm);
    /// @notice Whether an operator has authorised a Campaigns contract to lock its stake.
    function authorized(address operator, address campaigns) external view returns (bool);
    /// @notice Stake that a campaign of a Campaigns contract has locked.
    function lockedFor(address operator, address campaigns, bytes32 id) external view returns (uint256);
    /// @notice Amount that an account can claim.
    function claimable(address account) external view returns (uint256);
}
