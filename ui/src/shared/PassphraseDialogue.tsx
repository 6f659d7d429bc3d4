/** Asks for the passphrase before an action that spends money or privacy budget. */

import "./form-styles";
import { Button, Group, Modal, PasswordInput, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { problemFrom, send } from "./api";
import { type Asking, Cancelled } from "./session";

export default function PassphraseDialogue({ asking, close }: { asking: Asking; close: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const cancel = () => {
    asking.reject(new Cancelled("cancelled"));
    close();
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await send("POST", "/api/session/passphrase", { passphrase: input.current?.value ?? "" });
      await queries.invalidateQueries({ queryKey: ["/api/session"] });
      asking.resolve();
      close();
    } catch (error) {
      setProblem(problemFrom(error).detail);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={cancel} title="Enter your passphrase" centered>
      <form onSubmit={event => void submit(event)}>
        <Stack>
          <Text size="sm">
            This action spends money or privacy budget. The passphrase stays valid for 15 minutes.
          </Text>
          <PasswordInput
            ref={input}
            label="Passphrase"
            error={problem}
            autoComplete="current-password"
            data-autofocus
            required
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={cancel}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Continue
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
