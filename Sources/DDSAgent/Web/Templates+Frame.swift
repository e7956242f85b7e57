// What surrounds every page, and the pages that say why there is nothing else. All user text is in `bdi`.

extension Templates {
    static let frameTexts = [
        "head": #"""
            <!doctype html>
            <html lang="en" dir="ltr"{{#theme}} data-theme="{{theme}}"{{/theme}}{{#density}} data-density="{{density}}"{{/density}}{{#keysOff}} data-keys="off"{{/keysOff}}>
            <head>
            <meta charset="utf-8">
            <title>{{title}}</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="robots" content="noindex">
            <link rel="icon" href="{{iconPath}}" type="image/svg+xml">
            <link rel="stylesheet" href="{{stylePath}}">
            <script src="{{scriptPath}}" defer></script>
            {{#refreshSeconds}}<noscript><meta http-equiv="refresh" content="{{refreshSeconds}}"></noscript>{{/refreshSeconds}}
            {{#pollSeconds}}<meta http-equiv="refresh" content="{{pollSeconds}}">{{/pollSeconds}}
            </head>

            """#,

        "top": #"""
            <body class="app {{pageClass}}" data-page="{{pageKind}}" data-token="{{formToken}}" data-unread="{{totalUnread}}">
            <a class="skip" href="#main">Skip to content</a>
            <header class="bar">
            <a class="burger" href="#nav" aria-label="Folders and groups">☰</a>
            <a class="brand" href="/"><span class="gem" aria-hidden="true">◆</span> DDS</a>
            {{>find}}
            <form method="post" action="/lock" autocomplete="off" id="lock">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <button class="quiet" title="Lock now (Shift+L)">{{>padlock}} Lock</button>
            </form>
            <button class="quiet help js" type="button" data-help aria-label="Keyboard help">?</button>
            </header>
            <div class="columns">
            <nav id="nav" aria-label="Folders and groups">
            <a class="shut" href="#main">Close</a>
            <a class="write" href="/w"><span aria-hidden="true">✎</span> Write <kbd>c</kbd></a>
            <ul>
            {{#folders}}<li><a href="{{path}}"{{#isCurrent}} aria-current="page"{{/isCurrent}}><span>{{label}}</span>{{>count}}</a></li>
            {{/folders}}</ul>
            <h2>Groups</h2>
            <ul>
            {{#groups}}<li><a href="{{path}}"{{#isCurrent}} aria-current="page"{{/isCurrent}}{{#isMuted}} class="muted"{{/isMuted}}><span class="hue {{hue}}" aria-hidden="true"></span><bdi dir="auto">{{label}}</bdi>{{#isMuted}}<small>muted</small>{{/isMuted}}{{>count}}</a></li>
            {{/groups}}</ul>
            {{^groups}}<p class="hint">You are in no group yet.</p>{{/groups}}
            <ul class="foot"><li><a href="/settings"{{#isSettings}} aria-current="page"{{/isSettings}}>Settings</a></li></ul>
            </nav>
            <main id="main" tabindex="-1">
            <p class="newmail" role="status" id="live"><a href="{{herePath}}" hidden>New messages · Show</a></p>
            {{#notice}}<div class="notice" role="status"><span>{{notice}}</span>{{#undoHandle}}<form method="post" action="/do" autocomplete="off">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <input type="hidden" name="undo" value="{{undoHandle}}" autocomplete="off">
            <input type="hidden" name="back" value="{{herePath}}" autocomplete="off">
            <button name="action" value="undo" data-key="z">Undo <kbd>z</kbd></button>
            </form>{{/undoHandle}}</div>{{/notice}}

            """#,

        "padlock": #"<svg class="sign" viewBox="0 0 16 16" aria-hidden="true"><path d="M4 7h8v6.5H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2"/></svg>"#,
        "clip": #"<svg class="sign" viewBox="0 0 16 16" aria-hidden="true"><path d="m13 7.5-5 5a3 3 0 0 1-4.3-4.2l5.4-5.5a2 2 0 0 1 2.9 2.9L6.7 11a1 1 0 0 1-1.4-1.4l4.6-4.6"/></svg>"#,

        "count": #"<b class="count" data-count="{{path}}">{{#hasCount}}{{countText}}<span class="sr"> {{countMeaning}}</span>{{/hasCount}}</b>"#,

        "bottom": #"""
            </main>
            </div>
            <footer class="state{{#trouble}} bad{{/trouble}}">
            <span id="state">{{state}}</span>{{#waitingText}}<span> · <a href="/x">{{waitingText}}</a></span>{{/waitingText}}{{#trouble}}<strong role="alert">{{trouble}}</strong>{{/trouble}}
            </footer>
            <dialog id="help" aria-labelledby="help-title">
            <h2 id="help-title">Keys</h2>
            <table>
            <tr><th scope="row"><kbd>j</kbd> <kbd>k</kbd></th><td>next, previous</td></tr>
            <tr><th scope="row"><kbd>o</kbd> <kbd>Enter</kbd></th><td>open, fold or unfold</td></tr>
            <tr><th scope="row"><kbd>u</kbd></th><td>back to the list</td></tr>
            <tr><th scope="row"><kbd>c</kbd></th><td>write</td></tr>
            <tr><th scope="row"><kbd>r</kbd> <kbd>R</kbd></th><td>reply to all, only to the author</td></tr>
            <tr><th scope="row"><kbd>f</kbd></th><td>forward</td></tr>
            <tr><th scope="row"><kbd>n</kbd> <kbd>N</kbd></th><td>next, previous unread</td></tr>
            <tr><th scope="row"><kbd>e</kbd> <kbd>m</kbd> <kbd>s</kbd></th><td>archive, mute, star</td></tr>
            <tr><th scope="row"><kbd>#</kbd></th><td>move to trash</td></tr>
            <tr><th scope="row"><kbd>U</kbd> <kbd>z</kbd></th><td>mark unread, undo</td></tr>
            <tr><th scope="row"><kbd>[</kbd> <kbd>]</kbd></th><td>archive, and to the thread before or after</td></tr>
            <tr><th scope="row"><kbd>x</kbd> <kbd>*</kbd></th><td>select, select all</td></tr>
            <tr><th scope="row"><kbd>g</kbd> then <kbd>i</kbd> <kbd>p</kbd> <kbd>d</kbd> <kbd>s</kbd> <kbd>a</kbd> <kbd>,</kbd></th><td>inbox, private, drafts, sent, archive, settings</td></tr>
            <tr><th scope="row"><kbd>/</kbd></th><td>search</td></tr>
            <tr><th scope="row"><kbd>Ctrl</kbd> <kbd>Enter</kbd></th><td>send</td></tr>
            <tr><th scope="row"><kbd>Shift</kbd> <kbd>L</kbd></th><td>lock now</td></tr>
            </table>
            <p class="hint">As in mutt <kbd>j</kbd> and <kbd>k</kbd> move; other than there <kbd>r</kbd> answers the group and <kbd>R</kbd> the author.</p>
            <p><label><input type="checkbox" id="keys-on"{{^keysOff}} checked{{/keysOff}} autocomplete="off"> Keys are on for this page</label></p>
            <form method="dialog" autocomplete="off"><button class="primary">Close</button></form>
            </dialog>
            </body>
            </html>

            """#,

        "plain": #"""
            {{>head}}
            <body class="alone" data-page="{{pageKind}}">
            <main class="card" id="main">
            <p class="brand"><span class="gem" aria-hidden="true">◆</span> DDS</p>
            <h1>{{heading}}</h1>
            <p>{{text}}</p>
            {{#linkPath}}<p><a class="button primary" href="{{linkPath}}">{{linkText}}</a></p>{{/linkPath}}
            </main>
            </body>
            </html>

            """#,

        "missing": #"""
            {{>head}}
            {{>top}}
            <div class="empty">
            <h1>{{heading}}</h1>
            <p>{{text}}</p>
            <p><a class="button" href="/">Inbox</a></p>
            </div>
            {{>bottom}}
            """#,
    ]
}
