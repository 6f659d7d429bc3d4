/** The chain, read without the server: through the node that the operator named, or through the connected wallet. */

import { createPublicClient, custom, http, type PublicClient } from "viem";
import { config } from "../../shared/config";
import type { Info } from "../types";
import type { WalletState } from "./store";

export interface ChainReader {
  client: PublicClient;
  source: string;
}

/** `null` without a way to the chain, or if the wallet is on another one. */
export function chainReader(info: Info, { connected }: WalletState): ChainReader | null {
  if (config.publicRpc)
    return { client: createPublicClient({ transport: http(config.publicRpc) }), source: config.publicRpc };
  if (!connected || connected.chainId !== info.chain_id) return null;
  return {
    client: createPublicClient({ transport: custom(connected.wallet.provider) }),
    source: connected.wallet.info.name,
  };
}
