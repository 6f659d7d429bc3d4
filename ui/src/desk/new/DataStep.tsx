/** Step 2: the validation set; what was found in it is shown and can be corrected. */

import { Checkbox, SegmentedControl, Select, TextInput } from "@mantine/core";
import { IconFileSpreadsheet, IconUpload } from "@tabler/icons-react";
import { type DragEvent, useState } from "react";
import { type Column, DataTable } from "../../shared/DataTable";
import { count, integer } from "../../shared/format";
import { Chip, Facts } from "../../shared/parts";
import { ErrorPanel, Notice } from "../../shared/states";
import { Prose } from "../Prose";
import { type DataDraft, type InputColumn, rangeProblem, type TaskKind } from "./draft";
import type { InspectChoices, StepProps, WizardHost } from "./host";
import { held } from "./store";
import css from "./wizard.module.css";

/** Below this number of rows, single rows count much. */
const FEW_ROWS = 100;

export function DataStep({ draft, dispatch, problems, host }: StepProps & { host: WizardHost }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const inspect = async (file: File, choices: InspectChoices) => {
    setBusy(true);
    setError(null);
    try {
      const data = await host.inspect(file, choices);
      held.validation = file;
      dispatch({ type: "data", data });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const { data } = draft;
  // A file that is chosen again is read with the choices that were made for it.
  const choose = (file: File) =>
    void inspect(file, data?.file === file.name ? { target: data.target, task: data.kind } : {});
  const again = (choices: InspectChoices) => {
    if (held.validation) void inspect(held.validation, choices);
  };
  return (
    <>
      <FileField data={data} busy={busy} choose={choose} note={host.fileNote} problem={problems.file} />
      {error !== null && <ErrorPanel error={error} what="This file cannot be used" />}
      {data && (
        <>
          {held.validation === null && (
            <Notice tone="warn">
              Choose <b>{data.file}</b> again. Its rows are never kept in the browser; what you decided about
              its columns is kept.
            </Notice>
          )}
          {data.rows < FEW_ROWS && (
            <Notice tone="warn">
              {count(data.rows, "row")}: accuracy has coarse steps, and each public verdict tells much about
              single rows. Some hundred rows are better.
            </Notice>
          )}
          <Target data={data} again={again} busy={busy} />
          {data.kind === "classification" ? (
            <Classes data={data} problem={problems.classes} />
          ) : (
            <div className={css.pair}>
              <TextInput
                label="Smallest answer"
                value={data.min}
                inputMode="decimal"
                onChange={event => dispatch({ type: "range", changes: { min: event.currentTarget.value } })}
                error={problems.range}
              />
              <TextInput
                label="Largest answer"
                value={data.max}
                inputMode="decimal"
                onChange={event => dispatch({ type: "range", changes: { max: event.currentTarget.value } })}
                error={problems.range !== undefined}
              />
            </div>
          )}
          <Inputs data={data} dispatch={dispatch} problems={problems} />
          {data.guesses.length > 0 && (
            <details className={css.more}>
              <summary>What was guessed ({data.guesses.length})</summary>
              <ul>
                {data.guesses.map(guess => (
                  <li key={guess}>
                    <Prose text={guess} />
                  </li>
                ))}
              </ul>
            </details>
          )}
        </>
      )}
    </>
  );
}

interface FileFieldProps {
  data: DataDraft | null;
  busy: boolean;
  choose: (file: File) => void;
  note: string;
  problem: string | undefined;
}

function FileField({ data, busy, choose, note, problem }: FileFieldProps) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) choose(file);
  };
  const known = data !== null && held.validation !== null;
  return (
    <div>
      <label
        className={css.drop}
        data-over={over || undefined}
        data-known={known || undefined}
        onDragOver={event => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <input
          type="file"
          accept=".csv,text/csv"
          className="visually-hidden"
          aria-describedby="file-note"
          aria-invalid={problem !== undefined || undefined}
          disabled={busy}
          onChange={event => {
            const file = event.currentTarget.files?.[0];
            if (file) choose(file);
            event.currentTarget.value = "";
          }}
        />
        {known ? <IconFileSpreadsheet size={24} stroke={1.6} /> : <IconUpload size={24} stroke={1.6} />}
        <span>
          <strong>
            {busy ? "Reading the file…" : known ? data.file : "Drop a CSV file here, or choose one"}
          </strong>
          <small>
            {known
              ? `${count(data.rows, "row")}, ${count(data.columns.length, "column")}. Drop or choose another file to replace it.`
              : "With a header line."}
          </small>
        </span>
      </label>
      <p className={css.hint} id="file-note">
        {note} Column names, ranges and classes become public.
      </p>
      {problem && <p className={css.problem}>{problem}</p>}
    </div>
  );
}

interface TargetProps {
  data: DataDraft;
  again: (choices: InspectChoices) => void;
  busy: boolean;
}

function Target({ data, again, busy }: TargetProps) {
  const locked = busy || held.validation === null;
  return (
    <div className={css.pair}>
      <Select
        label="Column to predict"
        data={data.columns}
        value={data.target}
        onChange={target => target && again({ target })}
        disabled={locked}
        searchable
        allowDeselect={false}
      />
      <div>
        <span className={css.label} id="task-kind">
          It is
        </span>
        <SegmentedControl
          fullWidth
          aria-labelledby="task-kind"
          value={data.kind}
          disabled={locked}
          data={[
            { value: "classification", label: "A class" },
            { value: "regression", label: "A number" },
          ]}
          onChange={task => again({ target: data.target, task: task as TaskKind })}
        />
      </div>
    </div>
  );
}

function Classes({ data, problem }: { data: DataDraft; problem: string | undefined }) {
  return (
    <div>
      <span className={css.label}>{count(data.classes.length, "class", "classes")}</span>
      <div className={css.chips}>
        {data.classes.map(name => (
          <Chip key={name} tone="info">
            {name}
          </Chip>
        ))}
      </div>
      {problem && <p className={css.problem}>{problem}</p>}
      {data.baseline && (
        <p className={css.hint}>
          Without any model: <Prose text={data.baseline} />.
        </p>
      )}
    </div>
  );
}

const KINDS: Record<InputColumn["kind"], string> = { number: "Number", category: "Category", text: "Text" };

function Inputs({
  data,
  dispatch,
  problems,
}: Pick<StepProps, "dispatch" | "problems"> & { data: DataDraft }) {
  if (data.image) return <Image data={data} dispatch={dispatch} problem={problems.image} />;
  const used = data.inputs.filter(input => input.used).length;
  const change = (name: string, changes: Partial<InputColumn>) => dispatch({ type: "input", name, changes });
  const bound = (input: InputColumn, field: "min" | "max", label: string) => (
    <TextInput
      size="xs"
      aria-label={`${label} of ${input.name}`}
      value={input[field]}
      inputMode="decimal"
      disabled={!input.used}
      error={input.used && rangeProblem(input.min, input.max) !== null}
      onChange={event => change(input.name, { [field]: event.currentTarget.value })}
    />
  );
  const columns: Column<InputColumn>[] = [
    {
      id: "used",
      header: "Use",
      width: "64px",
      cell: input => (
        <Checkbox
          aria-label={`Use ${input.name}`}
          checked={input.used}
          disabled={input.kind !== "number"}
          onChange={event => change(input.name, { used: event.currentTarget.checked })}
        />
      ),
    },
    { id: "name", header: "Column", width: "minmax(110px, 1.2fr)", cell: input => <b>{input.name}</b> },
    { id: "kind", header: "Type", width: "90px", cell: input => KINDS[input.kind] },
    { id: "min", header: "Minimum", width: "112px", cell: input => bound(input, "min", "Minimum") },
    { id: "max", header: "Maximum", width: "112px", cell: input => bound(input, "max", "Maximum") },
  ];
  const left = data.inputs.filter(input => input.note !== null && !input.used);
  return (
    <div>
      <span className={css.label}>
        The model reads {integer(used)} of {count(data.inputs.length, "column")}
      </span>
      <div className={css.table}>
        <DataTable
          label="Columns that the model can read"
          columns={columns}
          rows={data.inputs}
          id={input => input.name}
          height={460}
        />
      </div>
      {problems.inputs && <p className={css.problem}>{problems.inputs}</p>}
      {data.inputs.map(({ name }) => {
        const problem = problems[`input ${name}`];
        return problem ? (
          <p className={css.problem} key={name}>
            {name}: {problem}
          </p>
        ) : null;
      })}
      {left.length > 0 && (
        <ul className={css.notes}>
          {left.map(({ name, note }) => (
            <li key={name}>
              <b>{name}</b> is left out: {note}.
            </li>
          ))}
        </ul>
      )}
      <p className={css.hint}>A Mine whose data go beyond these ranges does not take part.</p>
    </div>
  );
}

function Image({
  data,
  dispatch,
  problem,
}: Pick<StepProps, "dispatch"> & { data: DataDraft; problem: string | undefined }) {
  const { image } = data;
  if (!image) return null;
  return (
    <>
      <Facts
        items={[
          ["Image", `${image.height} × ${image.width} pixels, one column a pixel`],
          ["Column names", <code key="pattern">{image.pattern}</code>],
        ]}
      />
      <div className={css.pair}>
        <TextInput
          label="Darkest value"
          value={image.min}
          inputMode="decimal"
          onChange={event => dispatch({ type: "image", changes: { min: event.currentTarget.value } })}
          error={problem}
        />
        <TextInput
          label="Brightest value"
          value={image.max}
          inputMode="decimal"
          onChange={event => dispatch({ type: "image", changes: { max: event.currentTarget.value } })}
          error={problem !== undefined}
        />
      </div>
    </>
  );
}
