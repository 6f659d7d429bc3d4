// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { ERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title DataCoin: an ERC-20 with permit, 18 decimals.
/// @notice The whole supply is minted at the deployment. There is no owner.
contract DataCoin is ERC20, ERC20Permit {
    /// @param supply Supply in the smallest unit, which the deployer receives.
    constructor(uint256 supply) ERC20("DataCoin", "DATA") ERC20Permit("DataCoin") {
        _mint(msg.sender, supply);
    }
}
