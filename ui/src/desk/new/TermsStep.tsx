/** Step 6: deadline, Capsule, limits. */

import { Select, TextInput } from "@mantine/core";
import { allTime } from "../../public/days";
import type { Capsule, CapsuleRecord, Page, Statistics } from "../../public/types";
import { count, ETH, formatAmount, formatPpm, integer, units } from "../../shared/format";
import { Address } from "../../shared/parts";
import { useApi } from "../../shared/query";
import { Loaded, Loading, Notice } from "../../shared/states";
import { bountyUnits, type DeadlineUnit, type Draft, type LimitsDraft } from "./draft";
import type { StepProps } from "./host";
import css from "./wizard.module.css";

const UNITS: { value: DeadlineUnit; label: string }[] = [
  { value: "d", label: "days" },
  { value: "h", label: "hours" },
  { value: "m", label: "minutes" },
];

export function TermsStep({ draft, dispatch, problems }: StepProps) {
  const change = (changes: Partial<Draft>) => dispatch({ type: "change", changes });
  return (
    <>
      <div className={css.pair}>
        <TextInput
          label="Ends after"
          description="From the launch, unless the target is reached earlier."
          value={draft.deadline}
          inputMode="numeric"
          onChange={event => change({ deadline: event.currentTarget.value })}
          error={problems.deadline}
          required
        />
        <Select
          label="Unit"
          description="Days, hours or minutes."
          data={UNITS}
          value={draft.deadlineUnit}
          onChange={unit => unit && change({ deadlineUnit: unit as DeadlineUnit })}
          allowDeselect={false}
        />
      </div>
      <Capsules draft={draft} change={change} problem={problems.capsule} />
      <Limits
        limits={draft.limits}
        change={changes => dispatch({ type: "limit", changes })}
        problems={problems}
      />
    </>
  );
}

interface CapsulesProps {
  draft: Draft;
  change: (changes: Partial<Draft>) => void;
  problem: string | undefined;
}

function Capsules({ draft, change, problem }: CapsulesProps) {
  const capsules = useApi<Page<Capsule>>("/api/v1/capsules", { limit: 100 });
  const records = useApi<Statistics>("/api/v1/statistics", allTime()).data?.total.capsules ?? [];
  return (
    <fieldset className={css.choices}>
      <legend className={css.label}>Capsule</legend>
      <Loaded
        query={capsules}
        what="The Capsules could not be loaded"
        loading={<Loading lines={3} height={56} />}
      >
        {({ items }) => (
          <>
            {items.length === 0 && (
              <Notice tone="bad">No Capsule is registered on this network. A campaign needs one.</Notice>
            )}
            <Choice
              checked={draft.capsule === ""}
              choose={() => change({ capsule: "" })}
              title="The cheapest that is registered"
              note="Decided when the launch is planned; the review names it."
            />
            {items
              .toSorted((a, b) => a.fee_ppm - b.fee_ppm)
              .map(capsule => (
                <CapsuleChoice
                  key={capsule.operator}
                  capsule={capsule}
                  record={records.find(({ operator }) => same(operator, capsule.operator))}
                  draft={draft}
                  change={change}
                />
              ))}
          </>
        )}
      </Loaded>
      {problem && <p className={css.problem}>{problem}</p>}
    </fieldset>
  );
}

interface CapsuleChoiceProps {
  capsule: Capsule;
  record: CapsuleRecord | undefined;
  draft: Draft;
  change: (changes: Partial<Draft>) => void;
}

const PPM = 1_000_000n;

function CapsuleChoice({ capsule, record, draft, change }: CapsuleChoiceProps) {
  const bounty = bountyUnits(draft);
  const fee = bounty === null ? null : (bounty * BigInt(capsule.fee_ppm)) / PPM;
  const free = units(capsule.stake) - units(capsule.locked);
  const cost = fee === null ? "" : `, at most ${formatAmount(fee, draft.token)}`;
  return (
    <Choice
      checked={same(draft.capsule, capsule.operator)}
      choose={() => change({ capsule: capsule.operator })}
      title={<Address address={capsule.operator} copy={false} />}
      note={`Fee ${formatPpm(capsule.fee_ppm)} of the bounty${cost}. Free stake ${formatAmount(free, ETH)}. ${recordText(record)}`}
    />
  );
}

export function recordText(record: CapsuleRecord | undefined): string {
  if (!record || record.campaigns === 0) return "No record yet.";
  const declined = record.declined.reduce((sum, reason) => sum + reason.count, 0);
  const bad = [
    record.late > 0 ? `${integer(record.late)} late` : null,
    declined > 0 ? `${integer(declined)} declined` : null,
    record.convictions > 0 ? count(record.convictions, "conviction") : null,
  ].filter(text => text !== null);
  const good = `${count(record.campaigns, "campaign")}, ${count(record.settled, "window")} settled`;
  return `${good}, ${bad.length === 0 ? "never late" : bad.join(", ")}.`;
}

interface ChoiceProps {
  checked: boolean;
  choose: () => void;
  title: React.ReactNode;
  note: string;
}

function Choice({ checked, choose, title, note }: ChoiceProps) {
  return (
    <label className={css.choice} data-chosen={checked || undefined}>
      <input type="radio" name="capsule" checked={checked} onChange={choose} />
      <span>
        <strong>{title}</strong>
        <small>{note}</small>
      </span>
    </label>
  );
}

interface LimitsProps {
  limits: LimitsDraft;
  change: (changes: Partial<LimitsDraft>) => void;
  problems: StepProps["problems"];
}

const FIELDS: { field: keyof LimitsDraft; label: string; description: string }[] = [
  { field: "submissions", label: "Submissions at most", description: "In the whole campaign." },
  { field: "accepts", label: "Accepted at most", description: "Each makes a version of the model." },
  { field: "window", label: "Submissions in a window", description: "A full window is evaluated at once." },
  {
    field: "windowSeconds",
    label: "Window time (s)",
    description: "A window closes after it, even if not full.",
  },
  { field: "cap", label: "Per miner and version", description: "Submissions of one address." },
  { field: "stake", label: "Miner's stake (ETH)", description: "Deposited with each submission." },
  {
    field: "auditDays",
    label: "Audit period (days)",
    description: "The Capsule's stake stays locked: 1 to 30.",
  },
];

function Limits({ limits, change, problems }: LimitsProps) {
  return (
    <details className={css.more} open={Object.values(limits).some(text => text !== "")}>
      <summary>Limits (optional)</summary>
      <div>
        <p className={css.hint}>Empty fields get the usual values, which the review shows.</p>
        <div className={css.pair}>
          {FIELDS.map(({ field, label, description }) => (
            <TextInput
              key={field}
              label={label}
              description={description}
              value={limits[field]}
              inputMode={field === "stake" ? "decimal" : "numeric"}
              onChange={event => change({ [field]: event.currentTarget.value })}
              error={problems[field]}
            />
          ))}
        </div>
        <p className={css.hint}>
          With few Mines, as on a local network, let a window hold as many submissions as there are Mines:
          otherwise each stays open for ten minutes.
        </p>
      </div>
    </details>
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
