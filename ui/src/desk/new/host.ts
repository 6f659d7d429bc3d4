/** What differs between the faces that show the steps of a new campaign. */

import type { Dispatch, ReactNode } from "react";
import type { Action, DataDraft, Draft, Problems, TaskKind } from "./draft";

export interface StepProps {
  draft: Draft;
  dispatch: Dispatch<Action>;
  /** What the reader should be told is wrong, by field. */
  problems: Problems;
}

export type Step = (props: StepProps) => ReactNode;

export interface InspectChoices {
  name?: string;
  target?: string;
  task?: TaskKind;
}

export interface WizardHost {
  /** Whether an account must be chosen, which pays. */
  needsAccount: boolean;
  /** Where the validation set goes, in a sentence. */
  fileNote: string;
  /** Finds columns, ranges and classes of a validation set. */
  inspect: (file: File, choices: InspectChoices) => Promise<DataDraft>;
  /** Chooses the account, in the step of the bounty. */
  Account?: Step;
  /** The last two steps. */
  Review: Step;
  Launch: Step;
}
