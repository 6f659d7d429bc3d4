/** The result of a campaign: the model, decrypted and measured on this computer. */

import { Button, Tabs } from "@mantine/core";
import { IconDownload, IconShieldSearch } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { CampaignDetail } from "../public/types";
import { send } from "../shared/api";
import { formatBytes, formatPoints, formatPpm } from "../shared/format";
import { Chip, Command, Figures, PageHead, Panel } from "../shared/parts";
import { Cancelled } from "../shared/session";
import { ErrorPanel, Loading, Notice } from "../shared/states";
import { ConfusionMatrix } from "./ConfusionMatrix";
import desk from "./desk.module.css";
import { FilesField, type OwnerFiles, OwnerPage } from "./owner";
import { Prose } from "./Prose";
import { ResidualPlot } from "./ResidualPlot";
import { snippet } from "./snippets";
import { sentence } from "./text";
import type { DeskAccount, ModelFormat, Result } from "./types";
import { useAccountAction } from "./Unlock";

export function ResultPage() {
  return (
    <OwnerPage what="The result" title="Result">
      {(campaign, owner) => <Content campaign={campaign} owner={owner} />}
    </OwnerPage>
  );
}

function Content({ campaign, owner }: { campaign: CampaignDetail; owner: DeskAccount }) {
  const [run, dialogue] = useAccountAction();
  const [files, setFiles] = useState<OwnerFiles>({});
  const fetched = useMutation({
    mutationFn: () =>
      run(owner.name, () =>
        send<Result>("POST", `/api/desk/campaigns/${campaign.id}/result`, {
          account: owner.name,
          ...(files.validation === undefined ? {} : { validation: files.validation }),
        }),
      ),
  });
  const failed = fetched.error && !(fetched.error instanceof Cancelled);
  return (
    <>
      <PageHead
        title="Result"
        actions={
          <Button
            component={Link}
            to={`/campaigns/${campaign.id}/audit`}
            variant="default"
            leftSection={<IconShieldSearch size={16} />}
          >
            Audit
          </Button>
        }
      >
        The desk fetches the sealed model, decrypts it with the key of {owner.name}, checks the Capsule's
        signature, and measures the model on your validation set. All of it happens on this computer.
      </PageHead>
      <div className={desk.stack}>
        {fetched.data ? (
          <Report campaign={campaign} result={fetched.data} />
        ) : (
          <Panel title="Fetch the model">
            <div className={desk.start}>
              {fetched.isPending ? (
                <p className={desk.muted} role="status">
                  Fetching, decrypting, measuring…
                </p>
              ) : (
                <p className={desk.muted}>The account {owner.name} must be unlocked. Nothing is paid.</p>
              )}
              <Button
                leftSection={<IconDownload size={16} />}
                loading={fetched.isPending}
                onClick={() => fetched.mutate()}
              >
                Fetch and measure
              </Button>
              <FilesField initial={false} choose={setFiles} />
            </div>
          </Panel>
        )}
        {fetched.isPending && <Loading lines={4} />}
        {failed && (
          <ErrorPanel
            error={fetched.error}
            what="The result is not available"
            retry={() => fetched.mutate()}
          />
        )}
      </div>
      {dialogue}
    </>
  );
}

function Report({ campaign, result }: { campaign: CampaignDetail; result: Result }) {
  const difference = result.accuracy_ppm - result.attested_ppm;
  return (
    <>
      {result.as_attested ? (
        <Notice tone="good">The measured accuracy agrees with the attested one.</Notice>
      ) : (
        <Notice tone="bad">
          The measured accuracy differs from the attested one by {formatPoints(difference)} points. Audit the
          campaign while the Capsule's stake is locked.
        </Notice>
      )}
      <Figures
        items={[
          { label: "Measured here", value: formatPpm(result.accuracy_ppm), note: "on your validation set" },
          {
            label: "Attested by the Capsule",
            value: formatPpm(result.attested_ppm),
            note: `in steps of ${formatPpm(campaign.terms.grid_ppm)}`,
          },
          { label: "Difference", value: formatPoints(difference), note: "points" },
          { label: "Target", value: formatPpm(campaign.target_ppm), note: "of the campaign" },
        ]}
      />
      {result.warnings.map(warning => (
        <Notice key={warning} tone="warn">
          <Prose text={sentence(warning)} />
        </Notice>
      ))}
      <div className={desk.halves}>
        <Downloads id={campaign.id} result={result} />
        <Python result={result} />
      </div>
      {result.confusion && <ConfusionMatrix confusion={result.confusion} />}
      {result.residuals && <ResidualPlot residuals={result.residuals} />}
    </>
  );
}

const FORMATS: Record<ModelFormat, string> = {
  safetensors: "Weights; the file that the Capsule signed",
  onnx: "The whole computation, for any language",
  npz: "NumPy arrays with all constants",
};

function Downloads({ id, result }: { id: string; result: Result }) {
  return (
    <Panel title="Download" note="The files stay in the desk's memory until the account is locked.">
      <ul className={desk.downloads}>
        {result.files.map(({ format, name, bytes }) => (
          <li key={format}>
            <div>
              <code>{name}</code>
              <small>
                {FORMATS[format]}, {formatBytes(bytes)}
              </small>
            </div>
            <Button
              component="a"
              href={`/api/desk/campaigns/${id}/result/${format}`}
              download={name}
              variant="default"
              size="sm"
              leftSection={<IconDownload size={16} />}
              aria-label={`Download ${name}`}
            >
              {format}
            </Button>
          </li>
        ))}
        {result.unavailable.map(({ format, reason }) => (
          <li key={format}>
            <div>
              <code>{format}</code>
              <small>
                <Prose text={sentence(reason)} />
              </small>
            </div>
            <Chip>Not available</Chip>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const ORDER: ModelFormat[] = ["onnx", "safetensors", "npz"];

function Python({ result }: { result: Result }) {
  const files = ORDER.flatMap(format => result.files.filter(file => file.format === format));
  const [chosen, setChosen] = useState(files[0]?.format ?? "safetensors");
  return (
    <Panel title="Load it in Python">
      <Tabs value={chosen} onChange={format => setChosen((format ?? "onnx") as ModelFormat)}>
        <Tabs.List aria-label="Formats">
          {files.map(({ format }) => (
            <Tabs.Tab key={format} value={format}>
              {format}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {files.map(({ format, name }) => (
          <Tabs.Panel key={format} value={format} pt="sm">
            <Command label={`Copy the code for ${format}`}>
              {snippet(format, name, result.residuals !== null)}
            </Command>
          </Tabs.Panel>
        ))}
      </Tabs>
    </Panel>
  );
}
