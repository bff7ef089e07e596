// lazy.tsx: a part of a page that is loaded when it is first shown.

import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { text } from '../text.ts';

// A new version of the server has files of other names: then the page as a whole must be loaded again.
export function lazy<Props extends object>(load: () => Promise<{ default: FunctionComponent<Props> }>): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined;
  return function Lazy(props: Props) {
    const [state, setState] = useState<'loading' | 'loaded' | 'failed'>('loading');
    useEffect(() => {
      let here = true;
      if (!loaded) {
        load().then(
          (module) => { loaded = module.default; if (here) setState('loaded'); },
          () => { if (here) setState('failed'); },
        );
      }
      return () => { here = false; };
    }, []);
    const View = loaded;
    if (View) return <View {...props} />;
    return (
      <p class="note" role="status">
        {state === 'failed' ? <>{text.pageFailed} <button type="button" onClick={() => location.reload()}>{text.reload}</button></> : text.loading}
      </p>
    );
  };
}
