/** Pages of a campaign's owner: who that is here, and files that a campaign of another computer needs. */

import { IconArrowLeft } from "@tabler/icons-react";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { campaignName } from "../public/parts";
import type { CampaignDetail, State } from "../public/types";
import { shortAddress } from "../shared/format";
import { PageHead } from "../shared/parts";
import { useApi } from "../shared/query";
import { Empty, Loaded, Loading, Notice } from "../shared/states";
import { accountOf, useAccounts } from "./data";
import desk from "./desk.module.css";
import { base64 } from "./new/store";
import type { DeskAccount } from "./types";

const DELIVERED: State[] = ["finalized", "released", "convicted"];

interface OwnerPageProps {
  /** What the page is about: "The result", "The audit". */
  what: string;
  /** Title while the campaign loads. */
  title: string;
  children: (campaign: CampaignDetail, owner: DeskAccount) => ReactNode;
}

/** Shows its children for a delivered campaign of an account of this desk, and otherwise what is missing. */
export function OwnerPage({ what, title, children }: OwnerPageProps) {
  const { id } = useParams({ strict: false }) as { id: string };
  const campaign = useApi<CampaignDetail>(`/api/v1/campaigns/${id}`);
  const accounts = useAccounts();
  const loading = (
    <>
      <PageHead title={title} />
      <Loading />
    </>
  );
  return (
    <>
      <Link to={`/campaigns/${id}`} className={desk.back}>
        <IconArrowLeft size={15} />
        {campaign.data ? campaignName({ id, name: campaign.data.name ?? null }) : "Campaign"}
      </Link>
      <Loaded query={campaign} what="The campaign could not be loaded" loading={loading}>
        {data => (
          <Loaded query={accounts} what="The accounts could not be loaded" loading={loading}>
            {({ items }) => {
              const owner = accountOf(items, data.owner);
              if (!DELIVERED.includes(data.state))
                return (
                  <Empty page title={`${what} is not available yet`}>
                    The Capsule delivers the model after the campaign has closed. This campaign is still
                    running, or it ended without a model.
                  </Empty>
                );
              if (!owner)
                return (
                  <Empty page title={`${what} belongs to another account`}>
                    The campaign was launched by {shortAddress(data.owner)}, which is not an account of this
                    computer. Only its owner can decrypt the model.
                  </Empty>
                );
              return children(data, owner);
            }}
          </Loaded>
        )}
      </Loaded>
    </>
  );
}

export interface OwnerFiles {
  validation?: string;
  initial?: string;
}

interface FilesFieldProps {
  /** Whether the starting model can be needed too. */
  initial: boolean;
  choose: (files: OwnerFiles) => void;
}

/** For campaigns that were launched from another computer: the files that lie there. */
export function FilesField({ initial, choose }: FilesFieldProps) {
  const [files, setFiles] = useState<OwnerFiles>({});
  const [problem, setProblem] = useState<string | null>(null);
  const read = async (name: keyof OwnerFiles, file: File | undefined) => {
    try {
      const { [name]: _, ...others } = files;
      const next = file ? { ...others, [name]: await base64(file) } : others;
      setFiles(next);
      choose(next);
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <details className={desk.files}>
      <summary>Launched from another computer?</summary>
      <div>
        <p className={desk.muted}>
          The desk has the files of its own launches. For others, choose them; they go to the desk on this
          computer only.
        </p>
        <label>
          Validation set
          <input
            type="file"
            accept=".csv,text/csv"
            onChange={event => void read("validation", event.currentTarget.files?.[0])}
          />
        </label>
        {initial && (
          <label>
            Starting model, if there was one
            <input
              type="file"
              accept=".safetensors"
              onChange={event => void read("initial", event.currentTarget.files?.[0])}
            />
          </label>
        )}
        {problem && <Notice tone="bad">{problem}</Notice>}
      </div>
    </details>
  );
}
