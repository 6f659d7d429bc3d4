// Generated from openapi/desk.json by `npm run api`. Do not edit.

export interface paths {
    "/api/desk/accounts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The accounts of this home, with what they have. */
        get: operations["accounts"];
        put?: never;
        /** Creates an account: a key for the chain and an OpenPGP key, under one passphrase. */
        post: operations["create_account"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/accounts/{name}/lock": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Drops an account's keys from memory, with its plans and fetched results. */
        post: operations["lock_account"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/accounts/{name}/unlock": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keeps an account's keys in memory for a limited time. For 15 minutes it may spend. */
        post: operations["unlock_account"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/campaigns/{id}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Recomputes everything that the Capsule published, version by version. */
        post: operations["audit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/campaigns/{id}/result": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Fetches the finished model, decrypts it, checks its signature, and measures it again. */
        post: operations["result"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/campaigns/{id}/result/{format}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Downloads the model, after its result was fetched. */
        get: operations["download"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/campaigns/{id}/{action}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Acts on a campaign, and waits until the transactions are mined. */
        post: operations["act"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/draft": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Writes a campaign file for a validation set. Nothing is sent anywhere. */
        post: operations["draft"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Changes, as server-sent events: `launch` with a LaunchView, `accounts` with the name of an account, `reset` if changes were lost and
         *     everything should be read again. Resumes after `Last-Event-ID`.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/launches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The launches of this home, newest first. */
        get: operations["launches"];
        put?: never;
        /** Launches a plan: puts bounty and fee into escrow. The same plan, and the same files unless `again` is set, are launched once. */
        post: operations["launch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/launches/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One launch. */
        get: operations["launch_state"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/launches/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resumes a launch that failed or was interrupted. Nothing is paid twice. */
        post: operations["resume_launch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Plans a launch: checks everything that the launch would, and spends nothing. */
        post: operations["plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/desk/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** State of the desk, of Sonar and of the chain. */
        get: operations["status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The session of this browser. */
        get: operations["session"];
        put?: never;
        /** Exchanges the launch token for a session. A token works once. */
        post: operations["open_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session/passphrase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Enters the passphrase, which permits actions that spend for 15 minutes. */
        post: operations["reauthenticate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The accounts of this home. */
        AccountList: {
            /** @description Accounts by name. */
            items: components["schemas"]["AccountView"][];
            problem: components["schemas"]["Problem"] | null;
        };
        /** @description An account. */
        AccountView: {
            /** @description Its address. */
            address: string;
            /** @description What it has; empty if the chain does not answer. */
            balances: components["schemas"]["Balance"][];
            /** @description Fingerprint of its OpenPGP key; `null` before its first use. */
            fingerprint: string | null;
            /** @description Its name. */
            name: string;
            /**
             * Format: int64
             * @description Unix time until which it may spend without entering the passphrase again; `null` if it may not.
             */
            spends_until: number | null;
            /**
             * Format: int64
             * @description Unix time until which its keys are in memory; `null` if it is locked.
             */
            unlocked_until: number | null;
        };
        /**
         * @description An action of an account on a campaign.
         * @enum {string}
         */
        Action: "close" | "withdraw" | "withdraw-stake" | "refund" | "abandon" | "expire" | "release" | "convict";
        /** @description What an action has done. */
        ActionView: {
            /**
             * Format: int64
             * @description Its block.
             */
            block: number;
            /**
             * Format: int64
             * @description Gas that all transactions used.
             */
            gas: number;
            /** @description The last transaction. */
            transaction: string;
            /** @description All transactions, in order. */
            transactions: components["schemas"]["SentTransaction"][];
        };
        /**
         * @description Result of the audit of a version.
         * @enum {string}
         */
        AuditVerdict: "honest" | "differs" | "provable";
        /** @description The audit of a campaign. */
        AuditView: {
            /** @description Whether misconduct can be proven on chain while the stake is locked: `convict` takes it. */
            convicts: boolean;
            /**
             * Format: int64
             * @description Unix time from which `release` frees the stake.
             */
            free_from: number;
            /** @description Whether no version differs from what an honest Capsule publishes. */
            honest: boolean;
            /** @description Whether the stake is still locked. */
            locked: boolean;
            /** @description The Capsule's stake in wei. */
            stake: string;
            /** @description Every version. */
            versions: components["schemas"]["AuditedVersion"][];
            /** @description Warnings. */
            warnings: string[];
        };
        /** @description One version. */
        AuditedVersion: {
            /**
             * Format: int32
             * @description Accuracy on the grid, as attested on chain.
             */
            attested_ppm: number | null;
            /** @description What differs; empty if nothing does. */
            detail: string;
            /**
             * Format: int32
             * @description Accuracy on the grid, as measured.
             */
            measured_ppm: number | null;
            /** @description Result. */
            verdict: components["schemas"]["AuditVerdict"];
            /**
             * Format: int32
             * @description The version.
             */
            version: number;
        };
        /** @description An amount of a token. */
        Balance: {
            /** @description The amount in its smallest unit. */
            amount: string;
            /**
             * Format: int32
             * @description Its decimals.
             */
            decimals: number;
            /** @description Its symbol. */
            symbol: string;
            /** @description The token's contract; the zero address stands for ETH. */
            token: string;
        };
        /**
         * @description What is in a column.
         * @enum {string}
         */
        ColumnKind: "number" | "category" | "text";
        /** @description A column of a validation set. */
        ColumnView: {
            /** @description Its different values, if it has few. */
            classes: string[] | null;
            /** @description What is in it. */
            kind: components["schemas"]["ColumnKind"];
            /**
             * Format: double
             * @description Maximum, widened to a round number; `null` unless it has only numbers.
             */
            max: number | null;
            /**
             * Format: double
             * @description Minimum, widened to a round number; `null` unless it has only numbers.
             */
            min: number | null;
            /** @description Its name. */
            name: string;
        };
        /** @description A confusion matrix. */
        Confusion: {
            /** @description The classes. */
            classes: string[];
            /** @description `counts[right][answer]`: number of rows of the class `right` for which the model answers `answer`. */
            counts: number[][];
        };
        /** @description Addresses of the contracts. */
        ContractsView: {
            /** @description Campaigns. */
            campaigns: string;
            /** @description DataCoin. */
            datacoin: string;
            /** @description CapsuleRegistry. */
            registry: string;
        };
        /** @description What a launch costs. */
        CostView: {
            /** @description Whether the account can pay bounty, fee and gas. */
            affordable: boolean;
            /** @description What the account has of it. */
            balance: string;
            /** @description The bounty in the token's smallest unit. */
            bounty: string;
            /**
             * Format: int32
             * @description Its decimals.
             */
            decimals: number;
            /** @description The Capsule's fee at most, in the token's smallest unit. */
            fee: string;
            /** @description What the account has for gas, in wei. */
            gas_balance: string;
            /** @description Estimated cost of the transactions, in wei. */
            gas_estimate: string;
            /** @description Its symbol. */
            symbol: string;
            /** @description The token's contract; the zero address stands for ETH. */
            token: string;
        };
        /** @description A validation set for which a campaign file is written. */
        DraftRequest: {
            /** @description The CSV file, in base64. */
            csv: string;
            /** @description Its name, as the campaign file will name it. */
            file_name: string;
            /** @description The campaign's name (default: that of the file). */
            name?: string | null;
            /** @description The column to predict (default: one that is called like a target, else the last one). */
            target?: string | null;
            task?: components["schemas"]["TaskChoice"] | null;
        };
        /** @description A campaign file for a validation set. */
        DraftView: {
            /** @description The columns, in the order of the file. */
            columns: components["schemas"]["ColumnView"][];
            /** @description What was guessed, a sentence each. */
            guesses: string[];
            /**
             * Format: int64
             * @description Number of rows.
             */
            rows: number;
            /** @description The campaign file. */
            toml: string;
        };
        /**
         * @description Which pages a server shows.
         * @enum {string}
         */
        Face: "public" | "desk" | "mine" | "capsule";
        /** @description The launches of this home, newest first. */
        LaunchList: {
            /** @description Launches. */
            items: components["schemas"]["LaunchView"][];
        };
        /** @description Launches a plan. */
        LaunchRequest: {
            /** @description Name of the account of the plan; its passphrase was entered in the last 15 minutes. */
            account: string;
            /** @description Launch another campaign, although the same files were launched before. */
            again?: boolean;
            /** @description The plan. */
            plan_id: string;
        };
        /** @description A launch that was started. */
        LaunchStarted: {
            /** @description Its id. */
            id: string;
        };
        /**
         * @description State of a launch.
         * @enum {string}
         */
        LaunchState: "running" | "failed" | "done";
        /**
         * @description A step of a launch, in this order.
         * @enum {string}
         */
        LaunchStep: "seal" | "upload" | "approve" | "open" | "offer";
        /** @description A launch. */
        LaunchView: {
            /** @description Name of the account that pays. */
            account: string;
            /** @description The campaign, once the bundle is sealed. */
            campaign: string | null;
            error: components["schemas"]["Problem"] | null;
            /** @description Its id: the same files, account and contract have the same. */
            id: string;
            /** @description Name from the campaign file. */
            name: string;
            /** @description Whether `resume` can succeed; otherwise the campaign must be planned again. */
            resumable: boolean;
            /**
             * Format: int64
             * @description Unix time of its start.
             */
            started: number;
            /** @description State of the whole. */
            state: components["schemas"]["LaunchState"];
            /** @description Its steps, in order. */
            steps: components["schemas"]["StepView"][];
        };
        /**
         * @description Format of a model.
         * @enum {string}
         */
        ModelFormat: "safetensors" | "onnx" | "npz";
        /** @description Whether the model can be called secret. */
        ModelSecrecy: {
            /** @description Minimum number of weights of a secret model, whatever the encryption. */
            least_weights: number;
            /** @description Number of weights of the backbone, which are public; `None` without a backbone. */
            public_weights: number;
            /** @description Whether the model can be called secret. */
            secret: boolean;
            /** @description Number of weights of the model. */
            weights: number;
        };
        /** @description A new account. */
        NewAccount: {
            /** @description 1 to 64 letters, digits, `-` and `_`. */
            name: string;
            /** @description The passphrase of both keys. It cannot be recovered. */
            passphrase: string;
        };
        /** @description What to know before paying. */
        OutlookView: {
            /**
             * Format: double
             * @description Maximum number of bits that public verdicts can disclose.
             */
            leak_bits: number;
            /** @description Description of the feature map or network, with the reason if it was chosen by default. */
            model: string;
            /** @description `encrypted` (Mines never see the model) or `clear` (the model is public). */
            regime: string;
            /**
             * Format: int32
             * @description Measured accuracy of the starting model.
             */
            start_ppm: number;
            /** @description Warnings. */
            warnings: string[];
        };
        /** @description Names an account, with files that are not in this home. */
        OwnerRequest: {
            /** @description Name of the account; it must be unlocked. */
            account: string;
            /** @description The starting model in base64, for the audit of a campaign that had one and was launched from another home. */
            initial?: string | null;
            /** @description The validation set in base64, if the campaign was launched from another home. */
            validation?: string | null;
        };
        /** @description What one party learns. */
        PartyStatement: {
            /** @description What the party learns. */
            learns: string;
            /** @description What the party does not learn. */
            never_learns: string;
            /** @description Party. */
            party: string;
            /** @description What that rests on. */
            rests_on: string;
        };
        /** @description The passphrase. */
        PassphraseBody: {
            passphrase: string;
        };
        /** @description What an improvement earns. */
        PayoutExample: {
            /** @description Its payout in the token's smallest unit. */
            amount: string;
            /**
             * Format: int32
             * @description The improvement.
             */
            delta_ppm: number;
        };
        /** @description A campaign file with the files that it names. */
        PlanRequest: {
            /** @description Name of the account that pays; it must be unlocked. */
            account: string;
            /** @description The files by the names that the campaign file uses, in base64. */
            files: {
                [key: string]: string;
            };
            /** @description Part of the Capsule's stake that the campaign locks, in ETH (default: what Mines expect). */
            stake?: string | null;
            /** @description The campaign file. */
            toml: string;
        };
        /** @description What a launch would do. Nothing was spent. */
        PlanView: {
            /** @description The Capsule. */
            capsule: components["schemas"]["PlannedCapsule"];
            /** @description What it costs. */
            cost: components["schemas"]["CostView"];
            /** @description The campaign that the same files were launched with before. A launch resumes it, unless `again` is set. */
            earlier: string | null;
            /** @description What improvements earn. */
            examples: components["schemas"]["PayoutExample"][];
            /** @description Name from the campaign file. */
            name: string;
            /** @description What to know before paying. */
            outlook: components["schemas"]["OutlookView"];
            /** @description Names the plan when it is launched. A plan is kept for an hour, and while `sonar ui` runs. */
            plan_id: string;
            /** @description What each party can learn. */
            privacy: components["schemas"]["PrivacyStatement"];
            /** @description The terms, without the digest of the manifest, which is known when the bundle is sealed. */
            terms: components["schemas"]["TermsJson"];
        };
        /** @description The Capsule of a plan. */
        PlannedCapsule: {
            /**
             * Format: int32
             * @description Its fee as a share of the bounty.
             */
            fee_ppm: number;
            /** @description Its operator. */
            operator: string;
            /** @description Part of its stake that the campaign locks, in wei. */
            stake: string;
        };
        /** @description What each party of a campaign can learn, and what that rests on. */
        PrivacyStatement: {
            /** @description Whether the model can be called secret. */
            model: components["schemas"]["ModelSecrecy"];
            /** @description What each party learns. */
            parties: components["schemas"]["PartyStatement"][];
            /** @description Regime: `encrypted` (Mines never see the model) or `clear` (the model is public). */
            regime: components["schemas"]["Regime"];
            /** @description Hardness figures, each under its cost model. */
            security: components["schemas"]["SecurityFigure"][];
            /** @description What public verdicts can disclose: about model and keys, or in the clear regime about the validation set. */
            transcript: components["schemas"]["TranscriptBits"];
            /** @description What updates disclose about a Mine's data to the Capsule. */
            updates: components["schemas"]["UpdateSecrecy"];
        };
        /** @description An error response (RFC 9457). */
        Problem: {
            /**
             * @description Stable name of the problem, as on the command line.
             * @example NOT_FOUND
             */
            code: string;
            /** @description What was wrong, where, and what to do. */
            detail: string;
            /** @description Whether the same request may succeed later. */
            retryable: boolean;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description Reason phrase of the HTTP status. */
            title: string;
            /** @description Always `about:blank`: `code` identifies the problem. */
            type: string;
        };
        /**
         * @description Who may see the model.
         * @enum {string}
         */
        Regime: "encrypted" | "clear";
        /** @description One row. */
        ResidualPoint: {
            /**
             * Format: double
             * @description The right answer.
             */
            actual: number;
            /**
             * Format: double
             * @description The model's answer.
             */
            predicted: number;
        };
        /** @description Right answers of a regression beside the model's. */
        Residuals: {
            /** @description At most 2,000 of them, evenly chosen. */
            points: components["schemas"]["ResidualPoint"][];
            /**
             * Format: int64
             * @description Number of rows of the validation set.
             */
            rows: number;
        };
        /** @description A file of a model. */
        ResultFile: {
            /**
             * Format: int64
             * @description Its size.
             */
            bytes: number;
            /** @description Its format. */
            format: components["schemas"]["ModelFormat"];
            /** @description Its name. */
            name: string;
        };
        /** @description The finished model of a campaign, measured on the validation set. */
        ResultView: {
            /**
             * Format: int32
             * @description Measured accuracy.
             */
            accuracy_ppm: number;
            /** @description Whether they agree on the campaign's grid. */
            as_attested: boolean;
            /**
             * Format: int32
             * @description Accuracy that the Capsule attested on chain.
             */
            attested_ppm: number;
            confusion: components["schemas"]["Confusion"] | null;
            /** @description Files that can be downloaded, until the account is locked. */
            files: components["schemas"]["ResultFile"][];
            residuals: components["schemas"]["Residuals"] | null;
            /** @description Formats that this kind of model does not have. */
            unavailable: components["schemas"]["UnavailableFormat"][];
            /** @description Warnings. */
            warnings: string[];
        };
        /** @description Estimated hardness of an attack. */
        SecurityFigure: {
            /**
             * Format: int32
             * @description Work in bits (a power of two).
             */
            bits: number;
            /** @description Cost model. */
            cost_model: string;
            /** @description Goal of the attack. */
            what: string;
        };
        /** @description A transaction that was mined. */
        SentTransaction: {
            /**
             * Format: int64
             * @description Its block.
             */
            block: number;
            /**
             * Format: int64
             * @description Gas that it used.
             */
            gas: number;
            /** @description Its hash. */
            transaction: string;
            /** @description What it did. */
            what: string;
        };
        /** @description A session. */
        SessionInfo: {
            /** @description Which pages this server shows. */
            face: components["schemas"]["Face"];
            /**
             * Format: int64
             * @description Unix time until which actions that spend need no passphrase; `null` if they need it now.
             */
            unlocked_until: number | null;
        };
        /** @description State of the desk and of the services that it needs. */
        Status: {
            /**
             * Format: int64
             * @description The chain's id, if chain and contracts are known.
             */
            chain_id: number | null;
            contracts: components["schemas"]["ContractsView"] | null;
            /** @description Directory of accounts and launches. */
            home: string;
            problem: components["schemas"]["Problem"] | null;
            /** @description Whether the chain answers and has the contracts. */
            rpc_ok: boolean;
            /** @description Whether Sonar answers. */
            sonar_ok: boolean;
            /** @description Sonar's URL without secrets; `null` if none is configured. */
            sonar_url: string | null;
            /** @description Version of the program. */
            version: string;
        };
        /**
         * @description State of a step.
         * @enum {string}
         */
        StepState: "todo" | "running" | "done" | "failed";
        /** @description A step of a launch. */
        StepView: {
            /** @description Its result, or what it does. */
            detail: string | null;
            /** @description Which one. */
            name: components["schemas"]["LaunchStep"];
            /** @description Its state. */
            state: components["schemas"]["StepState"];
        };
        /**
         * @description What a model predicts.
         * @enum {string}
         */
        TaskChoice: "classification" | "regression";
        /** @description The terms of a campaign, which never change. */
        TermsJson: {
            /**
             * Format: int32
             * @description Time limit in seconds for the Capsule to activate the campaign.
             */
            activation_seconds: number;
            /** @description Merkle root over the audit keys; zero without audit keys. */
            audit_keys: string;
            /**
             * Format: int32
             * @description Audit period in seconds: how long the Capsule's fee and stake stay locked after the delivery.
             */
            audit_seconds: number;
            /** @description The operator who verifies the Capsule; the zero address in mode 0. */
            auditor?: string;
            /** @description The bounty in the token's smallest unit. */
            bounty: string;
            /**
             * Format: int32
             * @description Maximum number of submissions of one miner per version.
             */
            cap_per_version: number;
            /** @description The Capsule's operator. */
            capsule: string;
            /**
             * Format: int64
             * @description Deadline: unix time after which no update can be submitted.
             */
            deadline: number;
            /**
             * Format: int32
             * @description Time limit in seconds for the Capsule to deliver after the campaign has closed.
             */
            delivery_seconds: number;
            /**
             * Format: int32
             * @description Time limit in seconds for the Capsule to settle a closed window.
             */
            evaluation_seconds: number;
            /**
             * Format: int32
             * @description The Capsule's fee in parts per million of the bounty.
             */
            fee_ppm: number;
            /**
             * Format: int32
             * @description Accuracy grid: attested accuracies are multiples of this.
             */
            grid_ppm: number;
            /** @description Digest of the manifest on IPFS. */
            manifest: string;
            /**
             * Format: int32
             * @description Maximum number of accepted submissions.
             */
            max_accepts: number;
            /**
             * Format: int32
             * @description Maximum number of submissions.
             */
            max_submissions: number;
            /**
             * Format: int32
             * @description Who verifies the Capsule; 0, the only mode yet, is the owner's audit alone.
             */
            mode?: number;
            /** @description The data scientist. */
            owner: string;
            /** @description Salt that distinguishes campaigns with otherwise equal terms. */
            salt: string;
            /** @description Part of the Capsule's stake that the campaign locks, in wei. */
            stake: string;
            /**
             * Format: int32
             * @description Claimed starting accuracy.
             */
            start_ppm: number;
            /** @description Stake that a miner deposits with a submission, in wei. */
            submission_stake: string;
            /**
             * Format: int32
             * @description Target accuracy that pays the full bounty.
             */
            target_ppm: number;
            /** @description ERC-20 of the bounty; the zero address stands for ETH. */
            token: string;
            /**
             * Format: int32
             * @description Tolerance: maximum difference of the measured starting accuracy from the claim.
             */
            tolerance_ppm: number;
            /**
             * Format: int32
             * @description Time in seconds from the first submission of a window until it closes.
             */
            window_seconds: number;
            /**
             * Format: int32
             * @description Number of submissions that fill a window.
             */
            window_size: number;
        };
        /** @description The launch token, from the fragment of the link. */
        TokenBody: {
            token: string;
        };
        /** @description Bits that the public transcript can disclose. */
        TranscriptBits: {
            /**
             * Format: double
             * @description In the whole campaign, within its limits.
             */
            allowed: number;
            /**
             * Format: double
             * @description Maximum of any campaign.
             */
            hard_limit: number;
            /**
             * Format: double
             * @description In the rest of the campaign.
             */
            left: number;
            /**
             * Format: double
             * @description So far.
             */
            spent: number;
        };
        /** @description A format that a model does not have. */
        UnavailableFormat: {
            /** @description The format. */
            format: components["schemas"]["ModelFormat"];
            /** @description Why not. */
            reason: string;
        };
        /** @description Unlocks an account. */
        Unlock: {
            /**
             * Format: int32
             * @description For how long the keys stay in memory, at most 60.
             */
            minutes: number;
            /** @description Its passphrase. */
            passphrase: string;
        };
        /** @description What the encryption of updates hides, and what it does not. */
        UpdateEncryption: {
            /**
             * Format: double
             * @description The δ.
             */
            ciphertext_delta: number;
            /**
             * Format: double
             * @description The ciphertexts disclose no more than (ε, δ)-differential privacy allows, in addition to the updates: the ε for
             *     all uploads.
             */
            ciphertext_epsilon: number;
            /**
             * @description Number of updates of one Mine from which the average products of its columns can be computed, if they have no
             *     noise for privacy.
             */
            solvable_from: number;
        };
        /** @description What updates disclose about a Mine's data when they are decrypted. */
        UpdateSecrecy: {
            encryption?: components["schemas"]["UpdateEncryption"] | null;
            /**
             * Format: int32
             * @description Maximum number of updates of one Mine: one per version.
             */
            most_uploads: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    accounts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountList"];
                };
            };
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAccount"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    lock_account: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Account */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unlock_account: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Account */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Unlock"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The passphrase is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Too soon after a wrong one */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    audit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OwnerRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The account is locked */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    result: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OwnerRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResultView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The account is locked */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    download: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
                /** @description Format */
                format: components["schemas"]["ModelFormat"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": number[];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    act: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Campaign id */
                id: string;
                /** @description Action */
                action: components["schemas"]["Action"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OwnerRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActionView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The account is locked, or its passphrase was entered too long ago */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The action does not apply, or the contract refuses */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    draft: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DraftRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DraftView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    events: {
        parameters: {
            query?: never;
            header?: {
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
        };
    };
    launches: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchList"];
                };
            };
        };
    };
    launch: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LaunchRequest"];
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchStarted"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The account is locked, or its passphrase was entered too long ago */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description No such plan */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The same files are being launched */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    launch_state: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Launch */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchView"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resume_launch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Launch */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchView"];
                };
            };
            /** @description The account is locked, or its passphrase was entered too long ago */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description It cannot be resumed, or the same files are being launched */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    plan: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PlanRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanView"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The account is locked */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The campaign file names a file that was not sent */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    open_session: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description With the cookie */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    reauthenticate: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PassphraseBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The passphrase is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description No action of this server needs it */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Too soon after a wrong one */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
