/** The button at the end of the header that connects a browser wallet, and afterwards shows its account. */

import { Button, Menu } from "@mantine/core";
import { IconAlertTriangle, IconWallet } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { shortAddress } from "../../shared/format";
import { Identicon } from "../../shared/parts";
import { useInfo } from "../data";
import { useWallet, type Wallet, walletStore } from "./store";
import css from "./wallet.module.css";

/** A closed wallet window is no error. */
export function connect(wallet: Wallet): void {
  void walletStore.connect(wallet).catch(() => undefined);
}

export function Corner() {
  const { wallets, connected } = useWallet();
  const chain = useInfo().data?.chain_id;
  if (connected) {
    const wrong = chain !== undefined && chain !== connected.chainId;
    return (
      <Link to="/account" className={css.account} data-wrong={wrong || undefined}>
        {wrong ? <IconAlertTriangle size={16} /> : <Identicon address={connected.address} />}
        {wrong ? "Wrong chain" : shortAddress(connected.address)}
      </Link>
    );
  }
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Button size="xs" h={34} variant="light" leftSection={<IconWallet size={16} />}>
          <span className={css.connect}>Connect</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {wallets.map(wallet => (
          <Menu.Item
            key={wallet.info.uuid}
            leftSection={<span className={css.letter}>{wallet.info.name.slice(0, 1)}</span>}
            onClick={() => connect(wallet)}
          >
            {wallet.info.name}
          </Menu.Item>
        ))}
        {wallets.length === 0 && (
          <p className={css.none}>
            No wallet was found in this browser. All pages work without one; a wallet is needed only to close,
            withdraw or refund.
          </p>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
