/** The audit of a campaign: every version recomputed on this computer and compared with what the Capsule published. */

import { Button } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconDownload,
  IconGavel,
  IconShieldSearch,
} from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import type { CampaignDetail } from "../public/types";
import { send } from "../shared/api";
import { count, ETH, formatAmount, formatPpm, integer } from "../shared/format";
import { useNow } from "../shared/now";
import { Chip, Figures, PageHead, Panel, Time, type Tone } from "../shared/parts";
import { Cancelled } from "../shared/session";
import { ErrorPanel, Loading, Notice } from "../shared/states";
import { ActionButton } from "./actions/ActionButton";
import desk from "./desk.module.css";
import { FilesField, type OwnerFiles, OwnerPage } from "./owner";
import { Prose } from "./Prose";
import css from "./result.module.css";
import { sentence } from "./text";
import type { Audit, AuditedVersion, DeskAccount } from "./types";
import { useAccountAction } from "./Unlock";

export function AuditPage() {
  return (
    <OwnerPage what="The audit" title="Audit">
      {(campaign, owner) => <Content campaign={campaign} owner={owner} />}
    </OwnerPage>
  );
}

function Content({ campaign, owner }: { campaign: CampaignDetail; owner: DeskAccount }) {
  const [run, dialogue] = useAccountAction();
  const [files, setFiles] = useState<OwnerFiles>({});
  const audit = useMutation({
    mutationFn: () =>
      run(owner.name, () =>
        send<Audit>("POST", `/api/desk/campaigns/${campaign.id}/audit`, { account: owner.name, ...files }),
      ),
  });
  return (
    <>
      <PageHead
        title="Audit"
        actions={
          <Button
            component={Link}
            to={`/campaigns/${campaign.id}/result`}
            variant="default"
            leftSection={<IconDownload size={16} />}
          >
            Result
          </Button>
        }
      >
        The desk fetches what the Capsule published for each version, recomputes it with the seed that was
        handed over to you, and measures each version on your validation set.
      </PageHead>
      <div className={desk.stack}>
        {audit.data ? (
          <Report campaign={campaign} owner={owner} audit={audit.data} />
        ) : (
          <Panel title="Recompute every version">
            <div className={desk.start}>
              <p className={desk.muted} role="status">
                {audit.isPending
                  ? `Recomputing ${count(campaign.version, "version")}…`
                  : `${count(campaign.version, "version")} to recompute. The account ${owner.name} must be unlocked. Nothing is paid.`}
              </p>
              <Button
                leftSection={<IconShieldSearch size={16} />}
                loading={audit.isPending}
                onClick={() => audit.mutate()}
              >
                Audit
              </Button>
              <FilesField initial choose={setFiles} />
            </div>
          </Panel>
        )}
        {audit.isPending && <Loading lines={4} />}
        {audit.error && !(audit.error instanceof Cancelled) && (
          <ErrorPanel error={audit.error} what="The audit failed" retry={() => audit.mutate()} />
        )}
      </div>
      {dialogue}
    </>
  );
}

interface ReportProps {
  campaign: CampaignDetail;
  owner: DeskAccount;
  audit: Audit;
}

function Report({ campaign, owner, audit }: ReportProps) {
  const now = useNow();
  const bad = audit.versions.filter(({ verdict }) => verdict !== "honest").length;
  const item = { campaign: campaign.id, token: campaign.token, owed: "0", free_stake: "0" };
  const canRelease = audit.locked && audit.free_from <= now;
  return (
    <>
      <Notice tone={audit.honest ? "good" : "bad"}>{verdictText(audit, bad)}</Notice>
      <Figures
        items={[
          { label: "Versions", value: integer(audit.versions.length), note: "recomputed" },
          { label: "Different", value: integer(bad), note: bad === 0 ? "none" : "from an honest Capsule's" },
          {
            label: "Capsule's stake",
            value: formatAmount(audit.stake, ETH),
            note: audit.locked ? "locked" : "no longer locked",
          },
          {
            label: "Audit period ends",
            value: <Time unix={audit.free_from} />,
            note: "then the stake can be freed",
          },
        ]}
      />
      {audit.warnings.map(warning => (
        <Notice key={warning} tone="warn">
          <Prose text={sentence(warning)} />
        </Notice>
      ))}
      {audit.locked && (audit.convicts || canRelease) && (
        <Panel
          title={audit.convicts ? "Misconduct can be proven" : "The audit period has ended"}
          note={
            audit.convicts
              ? "The contract checks the proof and takes the stake."
              : "Free the Capsule's stake, unless you want to audit further."
          }
          actions={
            <ActionButton
              action={audit.convicts ? "convict" : "release"}
              account={owner.name}
              item={item}
              size="sm"
              variant="filled"
            />
          }
        >
          <p className={desk.muted}>
            The next dialogue says what happens with which amount, before anything is sent.
          </p>
        </Panel>
      )}
      <Panel title="Versions" flush>
        <ol className={css.versions}>
          {audit.versions.map(version => (
            <Version key={version.version} version={version} />
          ))}
        </ol>
      </Panel>
    </>
  );
}

function verdictText(audit: Audit, bad: number): string {
  if (audit.honest) return "Every version is what an honest Capsule publishes.";
  const start = `${count(bad, "version differs", "versions differ")} from what an honest Capsule publishes.`;
  if (audit.convicts && audit.locked) return `${start} The difference can be proven on chain.`;
  if (audit.convicts) return `${start} It could be proven, but the stake is no longer locked.`;
  return `${start} The difference cannot be proven on chain.`;
}

const VERDICTS: Record<AuditedVersion["verdict"], { label: string; tone: Tone; icon: ReactNode }> = {
  honest: { label: "Honest", tone: "good", icon: <IconCircleCheck size={14} /> },
  differs: { label: "Differs", tone: "warn", icon: <IconAlertTriangle size={14} /> },
  provable: { label: "Provable", tone: "bad", icon: <IconGavel size={14} /> },
};

function Version({
  version: { version, verdict, detail, attested_ppm, measured_ppm },
}: {
  version: AuditedVersion;
}) {
  const { label, tone, icon } = VERDICTS[verdict];
  return (
    <li>
      <strong>Version {integer(version)}</strong>
      <span>
        <Chip tone={tone} icon={icon}>
          {label}
        </Chip>
      </span>
      <p>{detail === "" ? "As published" : <Prose text={sentence(detail)} />}</p>
      <span data-numbers>
        attested {attested_ppm === null ? "–" : formatPpm(attested_ppm)} · measured{" "}
        {measured_ppm === null ? "–" : formatPpm(measured_ppm)}
      </span>
    </li>
  );
}
