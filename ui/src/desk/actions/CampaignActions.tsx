/** What the accounts of this desk can do with a campaign: its owner's pages, and the contract calls that apply now. */

import { Button } from "@mantine/core";
import { IconDownload, IconShieldSearch } from "@tabler/icons-react";
import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTokens } from "../../public/data";
import type { Account, AccountCampaign, CampaignDetail, State } from "../../public/types";
import { get } from "../../shared/api";
import { ETH, units } from "../../shared/format";
import { Amount } from "../../shared/parts";
import { accountOf, useAccounts } from "../data";
import css from "../desk.module.css";
import type { DeskAccount } from "../types";
import { ActionButton } from "./ActionButton";
import { isAction } from "./words";

export interface OwnItem {
  account: DeskAccount;
  item: AccountCampaign;
}

const REFRESH_MS = 10_000;

/** The campaigns of the accounts, as the server lists them. */
export function useOwnCampaigns(accounts: DeskAccount[]): OwnItem[] {
  const found = useQueries({
    queries: accounts.map(({ address }) => ({
      queryKey: [`/api/v1/accounts/${address}`, {}],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        get<Account>(`/api/v1/accounts/${address}`, {}, signal),
      refetchInterval: REFRESH_MS,
    })),
  });
  return accounts.flatMap((account, index) =>
    (found[index]?.data?.campaigns ?? []).map(item => ({ account, item })),
  );
}

const DELIVERED: State[] = ["finalized", "released", "convicted"];

export default function CampaignActions({ campaign }: { campaign: CampaignDetail }) {
  const accounts = useAccounts().data?.items ?? [];
  const owner = accountOf(accounts, campaign.owner);
  const shown = useOwnCampaigns(accounts).filter(
    ({ item }) => item.campaign === campaign.id && (item.actions.some(isAction) || units(item.owed) > 0n),
  );
  if (!owner && shown.length === 0) return null;
  return (
    <section className={css.ownerBar} aria-label="Your accounts and this campaign">
      {owner && <OwnerRow campaign={campaign} owner={owner} />}
      {shown.map(own => (
        <OwnActions key={`${own.account.name} ${own.item.role}`} own={own} />
      ))}
    </section>
  );
}

function OwnerRow({ campaign, owner }: { campaign: CampaignDetail; owner: DeskAccount }) {
  const delivered = DELIVERED.includes(campaign.state);
  return (
    <div className={css.ownerRow}>
      <div>
        <strong>Your campaign</strong>
        <span>
          {delivered
            ? `The model is delivered to ${owner.name}.`
            : "Result and audit become available when the Capsule has delivered the model."}
        </span>
      </div>
      {delivered && (
        <div className={css.buttons}>
          <Button
            component={Link}
            to={`/campaigns/${campaign.id}/result`}
            leftSection={<IconDownload size={16} />}
          >
            Result
          </Button>
          <Button
            component={Link}
            to={`/campaigns/${campaign.id}/audit`}
            variant="default"
            leftSection={<IconShieldSearch size={16} />}
          >
            Audit
          </Button>
        </div>
      )}
    </div>
  );
}

/** What one account can do with one campaign. */
export function OwnActions({ own: { account, item } }: { own: OwnItem }) {
  const token = useTokens()(item.token);
  return (
    <div className={css.ownerRow}>
      <div>
        <strong>{account.name}</strong>
        <span>
          {ROLES[item.role]}
          {units(item.owed) > 0n && (
            <>
              {" · "}
              <Amount value={item.owed} token={token} /> to withdraw
            </>
          )}
          {units(item.free_stake) > 0n && (
            <>
              {" · "}
              <Amount value={item.free_stake} token={ETH} places={6} /> free stake
            </>
          )}
        </span>
      </div>
      <div className={css.buttons}>
        {item.actions.filter(isAction).map(action => (
          <ActionButton key={action} action={action} account={account.name} item={item} size="sm" />
        ))}
      </div>
    </div>
  );
}

export const ROLES: Record<AccountCampaign["role"], string> = {
  owner: "Owner",
  miner: "Miner",
  capsule: "Capsule",
};
