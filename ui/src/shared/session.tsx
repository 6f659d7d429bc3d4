/**
 * The session of a loopback server. `… ui` opens the page with a one-time token in the fragment; the page exchanges it for
 * a cookie and drops it. Actions that spend money or ε may need the passphrase again.
 */

import { createContext, lazy, type ReactNode, Suspense, useCallback, useContext, useState } from "react";
import { ApiError, send } from "./api";
import { useApi } from "./query";
import { Locked } from "./states";

const PassphraseDialogue = lazy(() => import("./PassphraseDialogue"));

export interface Session {
  face: string;
  unlocked_until: number | null;
}

/** Exchanges the token of the address, if there is one. Called once, before the first request. */
export async function exchangeToken(): Promise<void> {
  const token = /^#t=(.+)$/.exec(window.location.hash)?.[1];
  if (token === undefined) return;
  // First of all out of the address, so that it is neither bookmarked nor copied.
  history.replaceState(null, "", window.location.pathname + window.location.search);
  // A token that was used already is no reason to stop: the session of its first use may still be valid.
  await send("POST", "/api/session", { token }).catch(() => undefined);
}

export function useSession() {
  return useApi<Session>("/api/session", {}, { staleTime: 60_000 });
}

/** Shows its children to those who have a session, and to others how to get one. */
export function SessionGate({ command, children }: { command: string; children: ReactNode }) {
  const session = useSession();
  if (session.isPending) return null;
  if (session.error instanceof ApiError && session.error.status === 401) return <Locked command={command} />;
  return <PassphraseProvider>{children}</PassphraseProvider>;
}

type Guarded = <T>(action: () => Promise<T>) => Promise<T>;
const PassphraseContext = createContext<Guarded>(action => action());

/** The reader closed the dialogue for the passphrase. */
export class Cancelled extends Error {
  override name = "Cancelled";
}

/**
 * Returns a function that runs an action; if the server asks for the passphrase, the reader is asked and the action is
 * repeated. It throws `Cancelled` if the reader closes the dialogue.
 */
export function usePassphrase(): Guarded {
  return useContext(PassphraseContext);
}

export interface Asking {
  resolve: () => void;
  reject: (reason: Error) => void;
}

function PassphraseProvider({ children }: { children: ReactNode }) {
  const [asking, setAsking] = useState<Asking | null>(null);
  const ask = useCallback(() => new Promise<void>((resolve, reject) => setAsking({ resolve, reject })), []);
  const guarded = useCallback<Guarded>(
    async action => {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof ApiError && error.code === "REAUTHENTICATE")) throw error;
        await ask();
        return action();
      }
    },
    [ask],
  );
  return (
    <PassphraseContext value={guarded}>
      {children}
      {asking && (
        <Suspense>
          <PassphraseDialogue asking={asking} close={() => setAsking(null)} />
        </Suspense>
      )}
    </PassphraseContext>
  );
}
