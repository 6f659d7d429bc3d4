/** The steps of a new campaign: the list of steps, the form of one of them, and what is decided so far. */

import "../../shared/form-styles";
import { Button } from "@mantine/core";
import { IconArrowLeft, IconArrowRight, IconCheck, IconTrash } from "@tabler/icons-react";
import { type FormEvent, type ReactNode, useEffect, useReducer, useRef, useState } from "react";
import { AccuracyStep } from "./AccuracyStep";
import { BountyStep } from "./BountyStep";
import { DataStep } from "./DataStep";
import { type Draft, EMPTY, isComplete, place, problems, reduce, STEPS, type StepId } from "./draft";
import type { StepProps, WizardHost } from "./host";
import { ModelStep } from "./ModelStep";
import { Summary } from "./Summary";
import { forget, held, load, save } from "./store";
import { TaskStep } from "./TaskStep";
import { TermsStep } from "./TermsStep";
import css from "./wizard.module.css";

const TITLES: Record<StepId, { short: string; title: string; note: string }> = {
  task: { short: "Task", title: "What is the model for?", note: "Miners read this before they take part." },
  data: {
    short: "Data",
    title: "Validation set",
    note: "Rows with known answers. Every update is measured on them. Miners need data with the same columns.",
  },
  model: {
    short: "Model",
    title: "Model",
    note: "Whether anyone can read the model, and what can be trained.",
  },
  accuracy: {
    short: "Accuracy",
    title: "Start and target",
    note: "The target accuracy pays the full bounty. Each gain before it pays its share.",
  },
  bounty: { short: "Bounty", title: "Bounty", note: "What the target accuracy is worth to you." },
  terms: {
    short: "Terms",
    title: "Deadline and Capsule",
    note: "The Capsule measures updates on your validation set and delivers the model.",
  },
  review: { short: "Review", title: "Review", note: "Check everything. Nothing has been paid." },
  launch: { short: "Launch", title: "Launch", note: "The bounty goes into escrow, and the campaign begins." },
};

const SAVE_MS = 250;

export function Wizard({ host }: { host: WizardHost }) {
  const [draft, dispatch] = useReducer(reduce, EMPTY, () => load());
  const [tried, setTried] = useState<StepId | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const options = { needsAccount: host.needsAccount };
  const found = problems(draft, draft.step, options);

  useEffect(() => {
    const timer = setTimeout(() => (draft === EMPTY ? forget() : save(draft)), SAVE_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  const last = useRef(draft);
  last.current = draft;
  useEffect(() => () => (last.current === EMPTY ? forget() : save(last.current)), []);

  // A new step starts at its heading, also for screen readers.
  const shown = useRef(draft.step);
  useEffect(() => {
    if (shown.current === draft.step) return;
    shown.current = draft.step;
    heading.current?.focus({ preventScroll: true });
    frame.current?.scrollIntoView?.({ block: "nearest" });
  }, [draft.step]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(draft.step);
    if (Object.keys(found).length === 0) dispatch({ type: "next", options });
    else
      requestAnimationFrame(() =>
        form.current?.querySelector<HTMLElement>("[aria-invalid=true], [data-problem]")?.focus(),
      );
  };
  const discard = () => {
    held.validation = null;
    held.initial = null;
    dispatch({ type: "reset" });
  };
  const Step = stepOf(draft.step, host);
  const { title, note } = TITLES[draft.step];
  return (
    <div ref={frame} className={css.wizard}>
      <Steps draft={draft} options={options} go={step => dispatch({ type: "go", step, options })} />
      <div className={css.columns}>
        <form ref={form} className={css.form} onSubmit={submit} noValidate aria-labelledby="step-title">
          <header className={css.head}>
            <h2 id="step-title" className={css.title} ref={heading} tabIndex={-1}>
              {title}
            </h2>
            <p className={css.note}>{note}</p>
          </header>
          <div className={css.body}>
            <Step
              draft={draft}
              dispatch={dispatch}
              problems={tried === draft.step ? found : {}}
              host={host}
            />
          </div>
          <footer className={css.foot}>
            {place(draft.step) > 0 && (
              <Button
                variant="default"
                leftSection={<IconArrowLeft size={16} />}
                onClick={() => dispatch({ type: "back" })}
              >
                Back
              </Button>
            )}
            {draft.step !== "launch" && (
              <Button type="submit" rightSection={<IconArrowRight size={16} />} className={css.forward ?? ""}>
                Continue
              </Button>
            )}
          </footer>
        </form>
        <aside className={css.aside} aria-label="Your campaign so far">
          <Summary draft={draft} />
          {draft !== EMPTY && (
            <Button
              variant="subtle"
              color="gray"
              size="xs"
              leftSection={<IconTrash size={14} />}
              onClick={discard}
            >
              Discard the draft
            </Button>
          )}
        </aside>
      </div>
    </div>
  );
}

type HostedStep = (props: StepProps & { host: WizardHost }) => ReactNode;

function stepOf(step: StepId, host: WizardHost): HostedStep {
  const steps: Record<StepId, HostedStep> = {
    task: TaskStep,
    data: DataStep,
    model: ModelStep,
    accuracy: AccuracyStep,
    bounty: BountyStep,
    terms: TermsStep,
    review: host.Review,
    launch: host.Launch,
  };
  return steps[step];
}

interface StepsProps {
  draft: Draft;
  options: { needsAccount: boolean };
  go: (step: StepId) => void;
}

function Steps({ draft, options, go }: StepsProps) {
  return (
    <nav className={css.steps} aria-label="Steps">
      <p className={css.position} aria-hidden="true">
        Step {place(draft.step) + 1} of {STEPS.length}
      </p>
      <ol>
        {STEPS.map((step, index) => {
          const open = place(step) <= place(draft.reached);
          const current = step === draft.step;
          const done = !current && place(step) < place(draft.reached) && isComplete(draft, step, options);
          return (
            <li key={step} data-current={current || undefined} data-done={done || undefined}>
              <button
                type="button"
                aria-current={current ? "step" : undefined}
                disabled={!open}
                onClick={() => go(step)}
              >
                <span className={css.number}>
                  {done ? <IconCheck size={14} aria-label="Complete" /> : index + 1}
                </span>
                {TITLES[step].short}
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
