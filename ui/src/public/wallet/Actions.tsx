/** The contract calls that the connected account may make now. */

import { Button } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { ETH, type Token, units } from "../../shared/format";
import { Amount, Panel } from "../../shared/parts";
import { useApi } from "../../shared/query";
import { useTokens } from "../data";
import shared from "../parts.module.css";
import type { Account, AccountCampaign, CampaignDetail } from "../types";
import { ACTIONS } from "../words";
import { useWallet } from "./store";

const ActionDialogue = lazy(() => import("./ActionDialogue"));

export function useAccount(address: string | undefined) {
  return useApi<Account>(address ? `/api/v1/accounts/${address}` : null);
}

export function ActionButtons({ item, token }: { item: AccountCampaign; token: Token | undefined }) {
  const [chosen, setChosen] = useState<string | null>(null);
  return (
    <div className={shared.chips}>
      {item.actions.map(action => (
        <Button
          key={action}
          size="xs"
          variant={action.startsWith("withdraw") ? "filled" : "default"}
          onClick={() => setChosen(action)}
        >
          {ACTIONS[action]?.label ?? action}
        </Button>
      ))}
      {item.actions.length === 0 && <span className={shared.muted}>Nothing to do now</span>}
      {chosen && (
        <Suspense>
          <ActionDialogue action={chosen} item={item} token={token} close={() => setChosen(null)} />
        </Suspense>
      )}
    </div>
  );
}

/** On the page of a campaign: what the connected account can do with it. */
export function WalletActions({ campaign }: { campaign: CampaignDetail }) {
  const { connected } = useWallet();
  const account = useAccount(connected?.address);
  const token = useTokens()(campaign.token);
  const items = (account.data?.campaigns ?? []).filter(
    item => item.campaign === campaign.id && item.actions.length > 0,
  );
  if (items.length === 0) return null;
  return (
    <Panel title="Your account in this campaign">
      {items.map(item => (
        <div className={shared.chips} key={item.role} style={{ justifyContent: "space-between" }}>
          <span className={shared.muted}>
            As {item.role}
            {units(item.owed) > 0n && (
              <>
                {" "}
                · owed <Amount value={item.owed} token={token} />
              </>
            )}
            {units(item.free_stake) > 0n && (
              <>
                {" "}
                · free stake <Amount value={item.free_stake} token={ETH} />
              </>
            )}
          </span>
          <ActionButtons item={item} token={token} />
        </div>
      ))}
    </Panel>
  );
}
