/** The accounts of this computer: what they have, whether their keys are in memory, and what they can do. */

import { Button } from "@mantine/core";
import { IconLock, IconLockOpen, IconPlus, IconWallet } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { CampaignLink, StateChip } from "../public/parts";
import { send } from "../shared/api";
import { formatUnits } from "../shared/format";
import { useNow } from "../shared/now";
import { Address, Chip, Command, Identifier, PageHead } from "../shared/parts";
import { Empty, ErrorPanel, Loaded, Loading, Notice, Partial } from "../shared/states";
import css from "./Accounts.module.css";
import { ActionButton } from "./actions/ActionButton";
import { type OwnItem, ROLES, useOwnCampaigns } from "./actions/CampaignActions";
import { isAction } from "./actions/words";
import { clock } from "./clock";
import { isUnlocked, useAccounts, useDeskStatus } from "./data";
import desk from "./desk.module.css";
import { NewAccountDialogue } from "./NewAccount";
import type { DeskAccount } from "./types";
import { UnlockDialogue } from "./Unlock";

export function AccountsPage() {
  const accounts = useAccounts();
  const [adding, setAdding] = useState(false);
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)}>
      New account
    </Button>
  );
  return (
    <>
      <PageHead title="Accounts" actions={add}>
        The keys lie encrypted in this computer's home directory. Sonar's server never gets them or their
        passphrases.
      </PageHead>
      <Loaded
        query={accounts}
        what="The accounts could not be loaded"
        loading={<Loading lines={3} height={120} />}
      >
        {({ items, problem }) => (
          <div className={desk.stack}>
            {problem && <Partial>Balances are missing: {problem.detail}</Partial>}
            {items.length === 0 ? (
              <Empty icon={<IconWallet size={28} stroke={1.5} />} title="No account yet" action={add}>
                An account pays bounties and owns campaigns. It has a key for the chain and an OpenPGP key,
                under one passphrase.
              </Empty>
            ) : (
              <Cards accounts={items} />
            )}
          </div>
        )}
      </Loaded>
      {adding && <NewAccountDialogue close={() => setAdding(false)} />}
    </>
  );
}

function Cards({ accounts }: { accounts: DeskAccount[] }) {
  const campaigns = useOwnCampaigns(accounts);
  return (
    <div className={css.cards}>
      {accounts.map(account => (
        <Card
          key={account.name}
          account={account}
          campaigns={campaigns.filter(own => own.account.name === account.name)}
        />
      ))}
    </div>
  );
}

function Card({ account, campaigns }: { account: DeskAccount; campaigns: OwnItem[] }) {
  return (
    <article className={css.card} aria-labelledby={`account-${account.name}`}>
      <div className={css.head}>
        <div className={css.name}>
          <h2 id={`account-${account.name}`}>{account.name}</h2>
          <LockChip account={account} />
        </div>
        <LockButton account={account} />
      </div>
      <div className={css.address}>
        <span>
          <Address address={account.address} />
        </span>
        <span>
          {account.fingerprint ? (
            <>
              OpenPGP key <Identifier text={account.fingerprint} name="the fingerprint" />
            </>
          ) : (
            "The OpenPGP key is made at the first use."
          )}
        </span>
      </div>
      {account.balances.length > 0 && (
        <ul className={css.balances} aria-label={`Balances of ${account.name}`}>
          {account.balances.map(({ token, symbol, decimals, amount }) => (
            <li key={token}>
              <strong>{formatUnits(amount, decimals)}</strong>
              <small>{symbol}</small>
            </li>
          ))}
        </ul>
      )}
      {campaigns.length > 0 && <Campaigns account={account} campaigns={campaigns} />}
      <Funding account={account} />
    </article>
  );
}

function LockChip({ account }: { account: DeskAccount }) {
  const now = useNow();
  if (!isUnlocked(account, now))
    return (
      <Chip
        icon={<IconLock size={13} />}
        hint="The keys are encrypted on disk only. Unlock the account to use it."
      >
        Locked
      </Chip>
    );
  const left = (account.unlocked_until ?? now) - now;
  return (
    <Chip
      tone="good"
      icon={<IconLockOpen size={13} />}
      hint="The keys are in the memory of this computer until then."
    >
      Unlocked for <span data-numbers>{clock(left)}</span>
    </Chip>
  );
}

function LockButton({ account }: { account: DeskAccount }) {
  const now = useNow();
  const queries = useQueryClient();
  const [unlocking, setUnlocking] = useState(false);
  const lock = useMutation({
    mutationFn: () => send("POST", `/api/desk/accounts/${account.name}/lock`),
    onSettled: () => queries.invalidateQueries({ queryKey: ["/api/desk/accounts"] }),
  });
  const unlocked = isUnlocked(account, now);
  return (
    <div className={desk.buttons}>
      <Button
        variant={unlocked ? "default" : "filled"}
        size="sm"
        leftSection={<IconLockOpen size={16} />}
        onClick={() => setUnlocking(true)}
      >
        {unlocked ? "Extend" : "Unlock"}
      </Button>
      {unlocked && (
        <Button
          variant="default"
          size="sm"
          leftSection={<IconLock size={16} />}
          loading={lock.isPending}
          onClick={() => lock.mutate()}
        >
          Lock
        </Button>
      )}
      {lock.error && <ErrorPanel error={lock.error} what="The account could not be locked" />}
      {unlocking && (
        <UnlockDialogue
          name={account.name}
          done={() => setUnlocking(false)}
          cancel={() => setUnlocking(false)}
        />
      )}
    </div>
  );
}

function Campaigns({ account, campaigns }: { account: DeskAccount; campaigns: OwnItem[] }) {
  return (
    <section aria-label={`Campaigns of ${account.name}`} className={css.campaigns}>
      {campaigns.map(({ item }) => (
        <div className={css.campaign} key={`${item.campaign} ${item.role}`}>
          <div>
            <CampaignLink id={item.campaign} name={item.name ?? null} />
            <StateChip state={item.state} />
            <span className={desk.muted}>{ROLES[item.role]}</span>
          </div>
          <div className={desk.buttons}>
            {item.actions.filter(isAction).map(action => (
              <ActionButton key={action} action={action} account={account.name} item={item} />
            ))}
          </div>
        </div>
      ))}
    </section>
  );
}

const LOCAL_CHAINS = [31337, 1337];

function Funding({ account }: { account: DeskAccount }) {
  const status = useDeskStatus().data;
  const isLocal = status?.chain_id !== undefined && LOCAL_CHAINS.includes(status.chain_id ?? 0);
  const isEmpty = account.balances.length > 0 && account.balances.every(({ amount }) => amount === "0");
  return (
    <>
      {isEmpty && (
        <Notice tone="warn">
          This account has nothing yet. A launch needs ETH for gas, and the bounty and the Capsule's fee in
          the campaign's token.
        </Notice>
      )}
      <details className={css.fund} open={isEmpty}>
        <summary>Add funds</summary>
        <div>
          {isLocal && (
            <>
              <p>This is a local network. In a terminal of the computer that runs it:</p>
              <Command>{`localnet fund ${account.address}`}</Command>
            </>
          )}
          <p>
            {isLocal ? "On other networks send" : "Send"} ETH for gas, and the token of the bounty, to the
            account's address:
          </p>
          <Command label="Copy the address">{account.address}</Command>
        </div>
      </details>
    </>
  );
}
