/** What the desk's API answers, from its document. */

import type { components } from "../api/desk";

type Schemas = components["schemas"];

export type DeskStatus = Schemas["Status"];
export type AccountList = Schemas["AccountList"];
export type DeskAccount = Schemas["AccountView"];
export type Balance = Schemas["Balance"];
export type DraftAnswer = Schemas["DraftView"];
export type Plan = Schemas["PlanView"];
export type Launch = Schemas["LaunchView"];
export type StepName = Schemas["LaunchStep"];
export type StepState = Schemas["StepState"];
export type Result = Schemas["ResultView"];
export type ModelFormat = Schemas["ModelFormat"];
export type Confusion = Schemas["Confusion"];
export type Residuals = Schemas["Residuals"];
export type Audit = Schemas["AuditView"];
export type AuditedVersion = Schemas["AuditedVersion"];
export type ActionDone = Schemas["ActionView"];
