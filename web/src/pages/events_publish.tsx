// events_publish.tsx: an event of one's own, for those who may publish.

import { useSignal } from '@preact/signals';
import { wrongsOf, type Wrongs } from '../store/wrong_fields.ts';
import { useDashboard } from '../view/context.ts';
import { Field } from './console_parts.tsx';
import { words } from './events_text.ts';

type Type = 'system' | 'alert';

function example(type: Type, topic: string): string {
  if (type === 'system') return JSON.stringify({ kind: 'maintenance', message: 'Back at noon' }, null, 2);
  const alert = {
    alertId: 'console:1', ruleId: 'console:try', ruleName: 'Try', deviceId: /device:([^/]+)$/.exec(topic)?.[1] ?? 'demo-1', state: 'firing',
    severity: 'info', message: 'Published by hand', field: 'T1', value: 1, threshold: 0.5, startedAt: new Date().toISOString(),
  };
  return JSON.stringify(alert, null, 2);
}

export function Publish() {
  const dashboard = useDashboard();
  const { api, session } = dashboard;
  const who = session.who.value;
  const account = `account:${who?.account ?? ''}`;
  const topic = useSignal<string | undefined>(undefined);
  const type = useSignal<Type>('system');
  const data = useSignal<string | undefined>(undefined);  // undefined: the example
  const wrongs = useSignal<Wrongs>({});
  const done = useSignal('');
  const busy = useSignal(false);
  const roles = who?.roles ?? [];
  if (who && !roles.includes('publish') && !roles.includes('admin')) {
    return (
      <section class="card" aria-labelledby="publish-title">
        <div class="card-head"><h2 id="publish-title">{words.publish}</h2></div>
        <p class="note" data-testid="publish-not">{words.publishWho(roles.join(', ') || words.noRoles)}</p>
      </section>
    );
  }

  const firstDevice = dashboard.devices.byTopic.keys().next().value;
  const shownTopic = topic.value ?? (type.value === 'alert' ? firstDevice ?? `${account}/site:default/device:demo-1` : account);
  const shownData = data.value ?? example(type.value, shownTopic);
  const publish = async () => {
    done.value = '';
    let parsed: unknown;
    try {
      parsed = JSON.parse(shownData);
    } catch (error) {
      wrongs.value = { data: words.notJson((error as Error).message) };
      return;
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      wrongs.value = { data: words.dataNeeded };
      return;
    }
    busy.value = true;
    try {
      const { id } = await api.change<{ id: string }>('POST', '/api/events', { topic: shownTopic.trim(), type: type.value, data: parsed });
      wrongs.value = {};
      done.value = words.published(id);
    } catch (error) {
      wrongs.value = wrongsOf(error, ['topic', 'type', 'data'], words.unreachable);
    }
    busy.value = false;
  };
  return (
    <section class="card" aria-labelledby="publish-title">
      <div class="card-head"><h2 id="publish-title">{words.publish}</h2></div>
      <form class="card-body" data-testid="publish" onSubmit={(event) => { event.preventDefault(); void publish(); }}>
        <div class="form">
          <Field label={words.topic} error={wrongs.value.topic} class="events-topics">
            {(described) => (
              <input
                {...described} class="code" data-testid="publish-topic" autoComplete="off" spellcheck={false} value={shownTopic}
                onInput={(event) => { topic.value = event.currentTarget.value; }}
              />
            )}
          </Field>
          <Field label={words.type} error={wrongs.value.type}>
            {(described) => (
              <select {...described} data-testid="publish-type" value={type.value} onChange={(event) => { type.value = event.currentTarget.value as Type; data.value = undefined; }}>
                <option value="system">{words.typeNames.system}</option>
                <option value="alert">{words.typeNames.alert}</option>
              </select>
            )}
          </Field>
        </div>
        <Field label={words.data} error={wrongs.value.data}>
          {(described) => (
            <textarea
              {...described} data-testid="publish-data" rows={Math.min(14, shownData.split('\n').length + 1)} spellcheck={false} value={shownData}
              onInput={(event) => { data.value = event.currentTarget.value; }}
            />
          )}
        </Field>
        <div class="form-actions flat">
          <button type="submit" class="primary" disabled={busy.value} data-testid="publish-now">{words.publishNow}</button>
          <span role="status" data-testid="publish-done">{done.value}</span>
          {wrongs.value[''] && <p class="refused" role="alert">{wrongs.value['']}</p>}
        </div>
      </form>
    </section>
  );
}
