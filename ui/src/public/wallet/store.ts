/**
 * Browser wallets: those that announce themselves (EIP-6963), and the one that the reader connected. No wallet is asked
 * for anything before the reader chooses it.
 */

import { useSyncExternalStore } from "react";

/** EIP-1193 */
export interface Provider {
  request(call: { method: string; params?: unknown }): Promise<unknown>;
  on?(event: string, listener: (value: unknown) => void): void;
}

export interface Wallet {
  info: { uuid: string; name: string; icon: string; rdns: string };
  provider: Provider;
}

export interface WalletState {
  wallets: Wallet[];
  connected: { wallet: Wallet; address: string; chainId: number } | null;
}

const REMEMBERED = "sonar-wallet";

class WalletStore {
  #state: WalletState = { wallets: [], connected: null };
  #watchers = new Set<() => void>();
  #started = false;

  get state(): WalletState {
    return this.#state;
  }

  watch = (changed: () => void): (() => void) => {
    this.#watchers.add(changed);
    if (!this.#started) this.#start();
    return () => this.#watchers.delete(changed);
  };

  #start(): void {
    this.#started = true;
    window.addEventListener("eip6963:announceProvider", event =>
      this.#announced((event as CustomEvent<Wallet>).detail),
    );
    window.dispatchEvent(new Event("eip6963:requestProvider"));
  }

  #set(state: Partial<WalletState>): void {
    this.#state = { ...this.#state, ...state };
    for (const changed of this.#watchers) changed();
  }

  #announced(wallet: Wallet): void {
    if (this.#state.wallets.some(({ info }) => info.uuid === wallet.info.uuid)) return;
    this.#set({ wallets: [...this.#state.wallets, wallet] });
    // The wallet of the last visit, if it still allows this page; `eth_accounts` opens no window.
    if (remembered() === wallet.info.rdns && !this.#state.connected) {
      void this.#use(wallet, "eth_accounts").catch(() => undefined);
    }
  }

  /** Asks the wallet for its account; the wallet asks its owner. */
  async connect(wallet: Wallet): Promise<void> {
    await this.#use(wallet, "eth_requestAccounts");
    remember(wallet.info.rdns);
  }

  async #use(wallet: Wallet, method: string): Promise<void> {
    const [accounts, chain] = await Promise.all([
      wallet.provider.request({ method }),
      wallet.provider.request({ method: "eth_chainId" }),
    ]);
    const address = (accounts as string[])[0];
    if (address === undefined) return;
    this.#set({ connected: { wallet, address, chainId: Number(chain) } });
    wallet.provider.on?.("accountsChanged", changed => {
      const next = (changed as string[])[0];
      const { connected } = this.#state;
      this.#set({ connected: connected && next ? { ...connected, address: next } : null });
    });
    wallet.provider.on?.("chainChanged", changed => {
      const { connected } = this.#state;
      if (connected) this.#set({ connected: { ...connected, chainId: Number(changed) } });
    });
  }

  disconnect(): void {
    remember(null);
    this.#set({ connected: null });
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

function remember(rdns: string | null): void {
  try {
    if (rdns === null) localStorage.removeItem(REMEMBERED);
    else localStorage.setItem(REMEMBERED, rdns);
  } catch {
    // Storage can be forbidden; the reader connects again next time.
  }
}

export const walletStore = new WalletStore();

export function useWallet(): WalletState {
  return useSyncExternalStore(walletStore.watch, () => walletStore.state);
}
