/** Unlocking an account, alone or because an action needs its keys. */

import "../shared/form-styles";
import { Button, Group, Modal, PasswordInput, SegmentedControl, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useCallback, useRef, useState } from "react";
import { ApiError, problemFrom, send } from "../shared/api";
import { Cancelled, usePassphrase } from "../shared/session";

const MINUTES = [
  { value: "5", label: "5 min" },
  { value: "15", label: "15 min" },
  { value: "60", label: "60 min" },
];

interface UnlockProps {
  name: string;
  why?: string | undefined;
  done: () => void;
  cancel: () => void;
}

export function UnlockDialogue({ name, why, done, cancel }: UnlockProps) {
  const input = useRef<HTMLInputElement>(null);
  const [minutes, setMinutes] = useState("15");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    // The wizard's form is around this dialogue, although it is shown elsewhere.
    event.stopPropagation();
    setBusy(true);
    setProblem(null);
    try {
      const passphrase = input.current?.value ?? "";
      await send("POST", `/api/desk/accounts/${name}/unlock`, { passphrase, minutes: Number(minutes) });
      await queries.invalidateQueries({ queryKey: ["/api/desk/accounts"] });
      done();
    } catch (error) {
      setProblem(problemFrom(error).detail);
      setBusy(false);
      input.current?.select();
    }
  };
  return (
    <Modal opened onClose={cancel} title={`Unlock ${name}`} centered>
      <form onSubmit={event => void submit(event)}>
        <Stack>
          <Text size="sm">
            {why ? `${why} ` : ""}The keys stay in the memory of this computer for the chosen time. The
            passphrase is not kept.
          </Text>
          <PasswordInput
            ref={input}
            label="Passphrase"
            error={problem}
            autoComplete="current-password"
            data-autofocus
            required
          />
          <div>
            <Text size="sm" fw={500} mb={4} id="unlock-time">
              Unlocked for
            </Text>
            <SegmentedControl
              fullWidth
              value={minutes}
              onChange={setMinutes}
              data={MINUTES}
              aria-labelledby="unlock-time"
            />
          </div>
          <Group justify="flex-end">
            <Button variant="default" onClick={cancel}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Unlock
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface Asking {
  name: string;
  resolve: () => void;
  reject: (reason: Error) => void;
}

/**
 * Returns a function that runs an action of an account, and the dialogue that it may need. If the account is locked, the
 * reader is asked to unlock it, and the action is repeated; the same with the passphrase for actions that spend. It throws
 * `Cancelled` if the reader closes the dialogue.
 */
export function useAccountAction(): [
  <T>(account: string, action: () => Promise<T>) => Promise<T>,
  ReactNode,
] {
  const guarded = usePassphrase();
  const [asking, setAsking] = useState<Asking | null>(null);
  const run = useCallback(
    async <T,>(account: string, action: () => Promise<T>): Promise<T> => {
      try {
        return await guarded(action);
      } catch (error) {
        if (!(error instanceof ApiError && error.code === "ACCOUNT_LOCKED")) throw error;
        await new Promise<void>((resolve, reject) => setAsking({ name: account, resolve, reject }));
        return guarded(action);
      }
    },
    [guarded],
  );
  const close = (settle: (asking: Asking) => void) => {
    if (asking) settle(asking);
    setAsking(null);
  };
  const dialogue = asking && (
    <UnlockDialogue
      name={asking.name}
      why="This needs the account's keys."
      done={() => close(({ resolve }) => resolve())}
      cancel={() => close(({ reject }) => reject(new Cancelled("cancelled")))}
    />
  );
  return [run, dialogue];
}
