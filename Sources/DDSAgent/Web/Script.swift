// The page's one script: keys, live counters, lock, autosave, small helps. It writes text only and builds no markup, so the
// page's Trusted Types policy needs no exception. Everything works without it. At most 10 KiB.

enum Script {
    static let text = #"""
        'use strict';
        (() => {
          const root = document.documentElement, body = document.body, one = (s) => document.querySelector(s),
            all = (s) => [...document.querySelectorAll(s)];
          root.classList.add('scripted');
          const kind = body.dataset.page, token = body.dataset.token;
          let leaving = false;

          // Lock: empty the page before going, so that nothing is left to come back to.
          const leave = () => {
            leaving = true;
            if (stream) stream.close();
            body.replaceChildren();
            document.title = 'Unlock · DDS';
            location.replace('/unlock');
          };
          addEventListener('pageshow', (event) => { if (event.persisted && token) location.reload(); });

          // Live: one stream, only while this tab is seen. Six hidden tabs with streams would block the seventh.
          let stream = null;
          const unread = (counts) => {
            for (const place of all('[data-count]')) {
              const number = counts[place.dataset.count];
              if (number !== undefined) place.textContent = number ? String(number) : '';
            }
            const before = Number(body.dataset.unread), now = counts.total;
            body.dataset.unread = now;
            const plain = document.title.replace(/^\(\d+\) /, '');
            if (/^\(\d+\) /.test(document.title) || body.classList.contains('titlecount')) {
              document.title = now ? '(' + now + ') ' + plain : plain;
            }
            const bar = one('#live a');
            if (bar && kind === 'list' && now > before) bar.hidden = false;
          };
          const listen = () => {
            if (!token || leaving) return;
            if (document.hidden) { if (stream) { stream.close(); stream = null; } return; }
            if (stream) return;
            stream = new EventSource('/events');
            stream.addEventListener('unread', (event) => unread(JSON.parse(event.data)));
            stream.addEventListener('state', (event) => { const place = one('#state'); if (place) place.textContent = event.data; });
            stream.addEventListener('lock', leave);
            stream.addEventListener('bye', () => { stream.close(); stream = null; });
            stream.addEventListener('error', () => {
              // Closed for good means that the session is over: the answer was no stream.
              if (stream && stream.readyState === EventSource.CLOSED) {
                stream = null;
                setTimeout(() => { if (!document.hidden) location.reload(); }, 3000);
              }
            });
          };
          addEventListener('visibilitychange', listen);
          addEventListener('pagehide', () => { if (stream) { stream.close(); stream = null; } });
          listen();

          // The idle lock counts key strokes and pointers, told at most once a minute.
          let told = Date.now();
          const active = () => {
            if (!token || Date.now() - told < 60000) return;
            told = Date.now();
            fetch('/active', { method: 'POST', headers: { 'Content-Type': 'text/plain', 'X-DDS-Token': token }, body: '' });
          };
          addEventListener('keydown', active, { passive: true });
          addEventListener('pointerdown', active, { passive: true });

          // Unlock.
          const caps = one('#caps'), unlock = one('#unlock');
          if (caps) addEventListener('keyup', (event) => {
            if (event.getModifierState) caps.textContent = event.getModifierState('CapsLock') ? '⇪ Caps Lock is on' : '';
          });
          for (const button of all('[data-show]')) button.addEventListener('click', () => {
            const field = document.getElementById(button.dataset.show), shown = field.type === 'text';
            field.type = shown ? 'password' : 'text';
            button.textContent = shown ? 'Show' : 'Hide';
            button.setAttribute('aria-pressed', String(!shown));
            field.focus();
          });
          if (unlock) unlock.addEventListener('submit', () => {
            const button = unlock.querySelector('[data-busy]'), field = one('#passphrase');
            if (field) field.type = 'password';
            button.textContent = button.dataset.busy;
            setTimeout(() => { button.disabled = true; });
          });

          // Writing: autosave, growth, one click sends once.
          const compose = one('#compose');
          if (compose) {
            const text = one('#f-body'), saved = one('#saved');
            let dirty = false, timer = 0, sending = false;
            const grow = () => { text.style.height = 'auto'; text.style.height = text.scrollHeight + 2 + 'px'; };
            const save = () => {
              clearTimeout(timer);
              timer = 0;
              if (!dirty || sending || leaving) return;
              dirty = false;
              const form = new URLSearchParams({ token, action: 'save', quiet: '1' });
              for (const name of ['to', 'subject', 'body']) form.set(name, compose.elements[name].value);
              fetch(compose.getAttribute('action'), { method: 'POST', body: form, keepalive: form.toString().length < 60000, redirect: 'manual' })
                .then((answer) => {
                  if (answer.status === 204) saved.textContent = 'Saved (encrypted)';
                  else { dirty = true; saved.textContent = 'Not saved'; }
                }, () => { dirty = true; saved.textContent = 'Not saved'; });
            };
            compose.addEventListener('input', (event) => {
              if (event.target.type === 'file') return;
              dirty = true;
              if (event.target === text) grow();
              if (!timer) timer = setTimeout(save, 5000);
            });
            addEventListener('visibilitychange', () => { if (document.hidden) save(); });
            compose.addEventListener('submit', (event) => {
              if (sending) { event.preventDefault(); return; }
              sending = true;
              clearTimeout(timer);
              setTimeout(() => { sending = false; }, 4000);
            });
            grow();
            const problems = one('.problems');
            if (problems) problems.focus();
            else if (document.activeElement === text) text.setSelectionRange(0, 0);
          }

          // A thread starts at the first new message.
          if (kind === 'thread' && !location.hash) { const first = one('.divider'); if (first) first.scrollIntoView({ block: 'start' }); }

          // Keys.
          const help = one('#help'), on = one('#keys-on');
          for (const button of all('[data-help]')) button.addEventListener('click', () => help.showModal());
          const items = () => all(kind === 'thread' ? '.message > summary' : '.row > a');
          const here = () => {
            const focus = document.activeElement, holder = focus && focus.closest('.row, .message');
            return items().findIndex((item) => item === focus || (holder && holder.contains(item)));
          };
          const move = (step) => {
            const list = items(), next = list[Math.max(0, Math.min(list.length - 1, here() + step))];
            if (next) { next.focus(); next.scrollIntoView({ block: 'nearest' }); }
          };
          const go = (selector) => { const link = one(selector); if (link) link.click(); };
          const reply = (whom) => {
            const list = items(), item = list[here()] || list[list.length - 1];
            const message = item && item.closest('.message');
            const button = message && message.querySelector('[data-reply="' + whom + '"]');
            if (button) button.click();
          };
          const click = (element) => { if (element) element.click(); };
          // The button of a key; in a list it does what it does with the row that has the focus, unless others are selected.
          const press = (key) => {
            const row = document.activeElement.closest('.row'), box = row && row.querySelector('input');
            if (box && kind !== 'thread' && key !== 'z' && !one('.row input:checked')) box.checked = true;
            click(one('[data-key="' + key + '"]'));
          };
          const fresh = (step) => {
            const list = items(), from = here(), isNew = (item) => item.closest('.unread, .new');
            const next = step > 0 ? list.find((item, n) => n > from && isNew(item)) : list.findLast((item, n) => n < from && isNew(item));
            if (next) { next.focus(); next.scrollIntoView({ block: 'nearest' }); }
          };
          const boxes = () => all('.row input[type=checkbox]');
          let last = null;
          addEventListener('click', (event) => {
            const list = boxes(), at = list.indexOf(event.target), from = list.indexOf(last);
            if (at < 0) return;
            if (event.shiftKey && from >= 0) for (const box of list.slice(Math.min(at, from), Math.max(at, from))) box.checked = event.target.checked;
            last = event.target;
          });
          for (const button of all('[data-copy]')) button.addEventListener('click', () => {
            navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(() => { button.textContent = 'Copied'; });
          });
          const places = { i: '/', p: '/p', d: '/d', s: '/x', a: '/r', ',': '/settings' };
          let went = 0;
          const actions = {
            j: () => move(1), k: () => move(-1), n: () => fresh(1), N: () => fresh(-1), o: () => click(items()[here()]),
            u: () => go('[data-back]'), c: () => go('nav .write'), r: () => reply('all'), R: () => reply('author'), f: () => reply('forward'),
            x: () => { const row = document.activeElement.closest('.row'); if (row) click(row.querySelector('input')); },
            '*': () => { const every = boxes().every((box) => box.checked); for (const box of boxes()) box.checked = !every; },
            g: () => { went = Date.now(); },
            '/': () => { const field = one('#q'); if (field) { field.focus(); field.select(); } },
            '?': () => { if (help) help.showModal(); },
            L: () => { const lock = one('#lock'); if (lock) lock.requestSubmit(); },
          };
          for (const key of 'emsUz[]#') actions[key] = () => press(key);
          addEventListener('keydown', (event) => {
            const field = event.target.closest('input:not([type=checkbox]), textarea, select, [contenteditable]');
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && compose && compose.contains(event.target)) {
              event.preventDefault();
              compose.requestSubmit(one('#send'));
              return;
            }
            if (!token || field || event.ctrlKey || event.altKey || event.metaKey || !on?.checked || (help && help.open)) return;
            if (Date.now() - went < 1500 && Object.hasOwn(places, event.key)) { went = 0; location.assign(places[event.key]); return; }
            const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
            if (action) { event.preventDefault(); action(); }
          });
        })();

        """#

    static let icon = #"""
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#2f5bd0" d="M16 2 30 16 16 30 2 16Z"/><path fill="#fff" fill-opacity=".28" d="M16 2 30 16H2Z"/></svg>

        """#
}
