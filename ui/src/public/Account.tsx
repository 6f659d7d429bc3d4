/** The account of the connected wallet: its campaigns, and the contract calls that it may make now. */

import { Button } from "@mantine/core";
import { IconLogout, IconWallet } from "@tabler/icons-react";
import { config } from "../shared/config";
import { type Column, DataTable } from "../shared/DataTable";
import { ETH, units } from "../shared/format";
import { Address, Amount, PageHead, Panel } from "../shared/parts";
import { Empty, Loaded, Notice } from "../shared/states";
import { useInfo, useTokens } from "./data";
import { CampaignLink, StateChip } from "./parts";
import shared from "./parts.module.css";
import type { AccountCampaign, Info } from "./types";
import { ActionButtons, useAccount } from "./wallet/Actions";
import { connect } from "./wallet/Corner";
import { useWallet, type WalletState, walletStore } from "./wallet/store";
import css from "./wallet/wallet.module.css";

const ROLES: Record<AccountCampaign["role"], string> = {
  owner: "Data scientist",
  miner: "Miner",
  capsule: "Capsule",
};

export function AccountPage() {
  const { wallets, connected } = useWallet();
  const info = useInfo().data;
  if (!connected) {
    return (
      <>
        <PageHead title="Your account">
          Connect a wallet to close campaigns, withdraw earnings or take refunds.
        </PageHead>
        <Panel title="Wallets in this browser">
          <Empty
            icon={<IconWallet size={28} stroke={1.5} />}
            title={wallets.length === 0 ? "No wallet was found" : "Choose a wallet"}
            action={
              <div className={css.choices}>
                {wallets.map(wallet => (
                  <Button key={wallet.info.uuid} variant="default" onClick={() => connect(wallet)}>
                    {wallet.info.name}
                  </Button>
                ))}
              </div>
            }
          >
            {wallets.length === 0
              ? "Install a wallet extension and reload the page. The command line offers the same calls without one."
              : "The wallet asks you before it shows this page your address."}
          </Empty>
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHead
        title="Your account"
        actions={
          <Button
            variant="default"
            leftSection={<IconLogout size={16} />}
            onClick={() => walletStore.disconnect()}
          >
            Disconnect
          </Button>
        }
      >
        <Address address={connected.address} full />
      </PageHead>
      {info && info.chain_id !== connected.chainId ? (
        <WrongChain info={info} connected={connected} />
      ) : (
        <Campaigns address={connected.address} />
      )}
    </>
  );
}

/** EIP-3326: the wallet does not know the chain. */
const UNKNOWN_CHAIN = 4902;

async function switchChain(
  { chain_id: id }: Info,
  { wallet }: NonNullable<WalletState["connected"]>,
): Promise<void> {
  const chainId = `0x${id.toString(16)}`;
  try {
    await wallet.provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  } catch (error) {
    if ((error as { code?: number }).code !== UNKNOWN_CHAIN || !config.publicRpc) return;
    const chain = {
      chainId,
      chainName: `Chain ${id}`,
      rpcUrls: [config.publicRpc],
      nativeCurrency: { name: "ETH", symbol: "ETH", decimals: 18 },
    };
    await wallet.provider
      .request({ method: "wallet_addEthereumChain", params: [chain] })
      .catch(() => undefined);
  }
}

function WrongChain({ info, connected }: { info: Info; connected: NonNullable<WalletState["connected"]> }) {
  return (
    <Panel title="The wallet is on another chain">
      <div className={shared.grid}>
        <Notice tone="warn">
          The campaigns are on chain {info.chain_id}; the wallet is on chain {connected.chainId}.
        </Notice>
        <div>
          <Button onClick={() => void switchChain(info, connected)}>Switch to chain {info.chain_id}</Button>
        </div>
      </div>
    </Panel>
  );
}

function Campaigns({ address }: { address: string }) {
  const query = useAccount(address);
  const token = useTokens();
  const columns: Column<AccountCampaign>[] = [
    {
      id: "campaign",
      header: "Campaign",
      width: "minmax(200px, 1.4fr)",
      cell: row => <CampaignLink id={row.campaign} name={row.name} />,
    },
    { id: "role", header: "Role", width: "minmax(120px, 0.6fr)", cell: row => ROLES[row.role] ?? row.role },
    {
      id: "state",
      header: "State",
      width: "minmax(120px, 0.6fr)",
      cell: row => <StateChip state={row.state} />,
    },
    {
      id: "owed",
      header: "Owed",
      end: true,
      width: "minmax(140px, 0.8fr)",
      sort: row => units(row.owed),
      cell: row => <Amount value={row.owed} token={token(row.token)} />,
    },
    {
      id: "stake",
      header: "Free stake",
      end: true,
      width: "minmax(120px, 0.6fr)",
      sort: row => units(row.free_stake),
      cell: row => <Amount value={row.free_stake} token={ETH} />,
    },
    {
      id: "actions",
      header: "Actions",
      end: true,
      width: "minmax(240px, 1.2fr)",
      cell: row => <ActionButtons item={row} token={token(row.token)} />,
    },
  ];
  return (
    <Panel title="Campaigns" note="Only calls that the contract would accept now are offered." flush>
      <Loaded query={query} what="The account could not be loaded">
        {({ campaigns }) =>
          campaigns.length === 0 ? (
            <Empty title="No campaigns">
              This account owns no campaign, has submitted to none, and evaluates none.
            </Empty>
          ) : (
            <DataTable
              label="Campaigns of this account"
              columns={columns}
              rows={campaigns}
              id={row => `${row.campaign} ${row.role}`}
              rowHeight={54}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}
