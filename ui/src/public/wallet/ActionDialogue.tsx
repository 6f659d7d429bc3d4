/** Shows what a contract call does, sends it through the wallet, and follows it until it is in a block. */

import { Button, Group, Loader, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconCircle, IconCircleCheck } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ETH, formatAmount, type Token } from "../../shared/format";
import { Identifier } from "../../shared/parts";
import { Notice } from "../../shared/states";
import { useInfo } from "../data";
import type { AccountCampaign } from "../types";
import { ACTIONS } from "../words";
import { callError } from "./contract";
import { execute, type Step } from "./execute";
import { useWallet } from "./store";
import css from "./wallet.module.css";

const STEPS: { id: Step; label: string }[] = [
  { id: "check", label: "Tried without sending" },
  { id: "wallet", label: "Confirmed in the wallet" },
  { id: "sent", label: "Sent, waiting for a block" },
  { id: "done", label: "In a block" },
];

interface DialogueProps {
  action: string;
  item: AccountCampaign;
  token: Token | undefined;
  close: () => void;
}

/** What the call moves, as far as the page knows. */
function moves(action: string, item: AccountCampaign, token: Token | undefined): string | null {
  if (action === "withdraw")
    return token ? formatAmount(item.owed, token) : `${item.owed} units of ${item.token}`;
  if (action === "withdraw_stake") return formatAmount(item.free_stake, ETH);
  return null;
}

export default function ActionDialogue({ action, item: given, token, close }: DialogueProps) {
  // As it was when the reader decided: afterwards the server reports what is left.
  const [item] = useState(given);
  const info = useInfo().data;
  const { connected } = useWallet();
  const queries = useQueryClient();
  const [step, setStep] = useState<Step | null>(null);
  const [hash, setHash] = useState<string | null>(null);
  const [problem, setProblem] = useState<{ text: string; rejected: boolean } | null>(null);
  const words = ACTIONS[action] ?? { label: action, hint: "" };
  const amount = moves(action, item, token);
  const busy = step !== null && step !== "done" && problem === null;
  const send = async () => {
    if (!info || !connected) return;
    setProblem(null);
    try {
      await execute(action, item, info, connected, (next, sent) => {
        setStep(next);
        if (sent) setHash(sent);
      });
      // The dialogue may be gone with the last action of the account; the message stays.
      notifications.show({
        title: `${words.label}: done`,
        message: item.name ?? item.campaign,
        color: "teal",
      });
      await queries.invalidateQueries();
    } catch (error) {
      setProblem(callError(error));
      setStep(null);
    }
  };
  return (
    <Modal opened onClose={close} title={words.label} centered closeOnClickOutside={!busy}>
      <Stack>
        <Text size="sm">{words.hint}</Text>
        {amount && (
          <Text>
            You receive <strong>{amount}</strong> at this account.
          </Text>
        )}
        <Text size="sm" c="dimmed">
          Campaign {item.name ?? item.campaign}. The wallet asks you to confirm, and charges the network fee
          (gas).
        </Text>
        {step !== null && <Progress step={step} />}
        {hash && (
          <Text size="sm">
            Transaction <Identifier text={hash} name="the transaction" />
          </Text>
        )}
        <div aria-live="polite">
          {problem && <Notice tone={problem.rejected ? "info" : "bad"}>{problem.text}</Notice>}
          {step === "done" && <Notice tone="good">Done.</Notice>}
        </div>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {step === "done" ? "Close" : "Cancel"}
          </Button>
          {step !== "done" && (
            <Button onClick={() => void send()} loading={busy} disabled={!connected || !info}>
              {words.label}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Progress({ step }: { step: Step }) {
  const at = STEPS.findIndex(({ id }) => id === step);
  return (
    <ol className={css.steps}>
      {STEPS.map(({ id, label }, index) => {
        const state = index < at || step === "done" ? "done" : index === at ? "now" : "todo";
        return (
          <li key={id} data-state={state}>
            {state === "done" ? (
              <IconCircleCheck size={18} />
            ) : state === "now" ? (
              <Loader size={16} />
            ) : (
              <IconCircle size={18} />
            )}
            {label}
          </li>
        );
      })}
    </ol>
  );
}
