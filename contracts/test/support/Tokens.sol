// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Burns a part of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    constructor() {
        _mint(msg.sender, 1e30);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), value / 100);
    }
}

/// @notice Says `false` instead of reverting, and moves nothing. When honest, an ordinary token.
contract FalseToken is ERC20("False", "NO") {
    bool public honest = true;

    constructor() {
        _mint(msg.sender, 1e30);
    }

    function lie() external {
        honest = false;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return honest && super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return honest && super.transferFrom(from, to, value);
    }
}

/// @notice Returns nothing at all from transfers, as some old tokens do.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    constructor() {
        balanceOf[msg.sender] = 1e30;
    }

    function approve(address spender, uint256 value) external {
        allowance[msg.sender][spender] = value;
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// @notice Calls somebody in the middle of a transfer, once.
contract ReentrantToken is ERC20("Reentrant", "RE") {
    address private _target;
    bytes private _call;
    bool public reentered;
    bytes public answer;

    constructor() {
        _mint(msg.sender, 1e30);
    }

    function arm(address target, bytes calldata data) external {
        (_target, _call) = (target, data);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (_target != address(0)) {
            address target = _target;
            _target = address(0);
            (reentered, answer) = target.call(_call);
        }
        super._update(from, to, value);
    }
}

/// @notice Pays out to nobody but its maker.
contract HoneypotToken is ERC20("Pot", "POT") {
    address private immutable MAKER;
    address private immutable ESCROW;

    constructor(address maker, address escrow) {
        (MAKER, ESCROW) = (maker, escrow);
        _mint(maker, 1e30);
    }

    function _update(address from, address to, uint256 value) internal override {
        require(from != ESCROW || to == MAKER, "only the maker");
        super._update(from, to, value);
    }
}
