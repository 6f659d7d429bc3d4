/** Makes an account: a name, and a passphrase that nobody can recover. */

import "../shared/form-styles";
import { Button, Checkbox, Group, Modal, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { problemFrom, send } from "../shared/api";
import { Notice } from "../shared/states";
import css from "./Accounts.module.css";
import { useDeskStatus } from "./data";
import { SHORTEST, strength, strengthText } from "./passphrase";

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export function NewAccountDialogue({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [repeated, setRepeated] = useState("");
  const [understood, setUnderstood] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const home = useDeskStatus().data?.home;
  const queries = useQueryClient();
  const wrong = {
    name: NAME.test(name) ? null : "Use 1 to 64 letters, digits, - and _.",
    passphrase: passphrase.length >= SHORTEST ? null : `Use ${SHORTEST} characters or more.`,
    repeated: repeated === passphrase ? null : "The passphrases differ.",
    understood: understood ? null : "Confirm that you have stored it.",
  };
  const shown = (text: string | null) => (tried ? text : null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    // The wizard's form is around this dialogue, although it is shown elsewhere.
    event.stopPropagation();
    setTried(true);
    if (Object.values(wrong).some(text => text !== null)) return;
    setBusy(true);
    setProblem(null);
    try {
      await send("POST", "/api/desk/accounts", { name, passphrase });
      await queries.invalidateQueries({ queryKey: ["/api/desk/accounts"] });
      close();
    } catch (error) {
      setProblem(problemFrom(error).detail);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={close} title="New account" centered>
      <form onSubmit={event => void submit(event)} noValidate>
        <Stack>
          <TextInput
            label="Name"
            description="Only you see it."
            value={name}
            onChange={event => setName(event.currentTarget.value)}
            error={shown(wrong.name)}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
            required
          />
          <div>
            <PasswordInput
              label="Passphrase"
              description="Four or more random words make a good one."
              value={passphrase}
              onChange={event => setPassphrase(event.currentTarget.value)}
              error={shown(wrong.passphrase)}
              autoComplete="new-password"
              aria-describedby="strength"
              required
            />
            <div className={css.meter} data-strength={strength(passphrase)} aria-hidden="true">
              <i />
              <i />
              <i />
            </div>
            <small id="strength" role="status">
              {passphrase === "" ? "" : strengthText(passphrase)}
            </small>
          </div>
          <PasswordInput
            label="Repeat the passphrase"
            value={repeated}
            onChange={event => setRepeated(event.currentTarget.value)}
            error={shown(wrong.repeated)}
            autoComplete="new-password"
            required
          />
          <Notice tone="warn">
            The passphrase cannot be recovered. Without it the account's money, campaigns and models are lost.
            Store it in a password manager, and back up the directory{" "}
            {home ? <code>{home}</code> : "of the desk"}.
          </Notice>
          <Checkbox
            label="I have stored the passphrase."
            checked={understood}
            onChange={event => setUnderstood(event.currentTarget.checked)}
            error={shown(wrong.understood)}
          />
          {problem && <Notice tone="bad">{problem}</Notice>}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Make the account
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
