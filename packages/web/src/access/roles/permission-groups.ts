/** Permissions as a person reads them: in groups, each with what it lets one do. */

type Group = Readonly<{ title: string; permissions: Readonly<Record<string, string>> }>;

const groups: readonly Group[] = [
  { title: 'Content', permissions: {
    read_content: 'Read what policies let it', write_content: 'Upload', delete_content: 'Delete its own', manage_policies: 'Say who may use its own', share_content: 'Give links to its own',
    read_any_content: 'Read everybody’s, audited', access_all_objects: 'See and revoke everybody’s tokens, sessions, links',
  } },
  { title: 'Jobs and workers', permissions: {
    submit_jobs: 'Submit jobs, follow its own', raw_arguments: 'Submit vetted ffmpeg arguments', access_all_jobs: 'Reach everybody’s jobs', run_jobs: 'Be a worker', manage_workers: 'Invite, drain, see workers',
  } },
  { title: 'Pipelines', permissions: {
    create_sessions: 'Start pipelines', list_sessions: 'List sessions', modify_sessions: 'Change running graphs', tune_nodes: 'Tune running nodes', destroy_sessions: 'Stop sessions',
    access_all_sessions: 'Reach everybody’s sessions', list_nodes: 'See the kinds of node', load_plugins: 'Load plugins', delete_plugins: 'Remove plugins',
  } },
  { title: 'Samples and assets', permissions: {
    list_samples: 'List samples', read_samples: 'Read samples', write_samples: 'Save samples', delete_samples: 'Delete samples', upload_assets: 'Upload assets', delete_assets: 'Delete assets',
  } },
  { title: 'Streams', permissions: {
    publish_streams: 'Publish', view_streams: 'Watch what policies let it', manage_streams: 'End its own, send viewers away', access_all_streams: 'Reach everybody’s streams',
  } },
  { title: 'Running Weir', permissions: {
    use_account: 'Sign in, have tokens', issue_tokens: 'Issue tokens for others', manage_users: 'Manage principals, roles, keys', use_credentials: 'Use stored credentials', manage_credentials: 'Change credentials and storage',
    view_audit: 'Read the audit log', view_metrics: 'Read metrics', manage_server: 'See the configuration', use_mcp: 'Use the MCP server',
  } },
];

export type PermissionGroup = Readonly<{ title: string; permissions: readonly Readonly<{ name: string; means: string }>[] }>;

/** All of `known` once, in their groups; what this page does not know yet comes last, under its name alone. */
export function groupPermissions(known: readonly string[]): readonly PermissionGroup[] {
  const left = new Set(known);
  const named = groups.map(({ title, permissions }) => ({
    title, permissions: Object.entries(permissions).filter(([name]) => left.delete(name)).map(([name, means]) => ({ name, means })),
  }));
  const others = [...left].map((name) => ({ name, means: '' }));
  return [...named, { title: 'Other', permissions: others }].filter(({ permissions }) => permissions.length > 0);
}
