// Joining, screen by screen. Each has one thing to do; all work without the script.

extension Templates {
    static let welcomeTexts = [
        "welcomeTop": #"""
            {{>head}}
            <body class="alone" data-page="{{pageKind}}"{{#liveToken}} data-token="{{liveToken}}"{{/liveToken}}>
            <main class="card" id="main">
            <p class="brand"><span class="gem" aria-hidden="true">◆</span> DDS</p>
            {{#step}}<p class="hint">{{step}}</p>{{/step}}

            """#,

        "welcomeProblem": #"{{#problem}}<p class="notice bad" role="alert"><bdi dir="auto">{{problem}}</bdi></p>{{/problem}}"#,

        "welcomeToken": #"<input type="hidden" name="token" value="{{formToken}}" autocomplete="off">"#,

        "welcomeStop": #"""
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <p class="hint">Not what you expected? <button class="quiet danger" name="action" value="stop">Stop here</button></p>
            </form>
            """#,

        "welcomeBottom": #"""

            </main>
            </body>
            </html>

            """#,

        "ticks": #"""
            <ul role="status">
            {{#ticks}}<li class="{{^isDone}}soft{{/isDone}}"><p><span aria-hidden="true">{{#isDone}}✓{{/isDone}}{{^isDone}}…{{/isDone}}</span> <bdi dir="auto">{{tickText}}</bdi><span class="sr">{{#isDone}} Done.{{/isDone}}</span></p></li>
            {{/ticks}}</ul>
            """#,

        "welcomeInvite": #"""
            {{>welcomeTop}}
            <h1>Welcome</h1>
            {{>welcomeProblem}}
            <p>Somebody has sent you an invite: a line that begins with <code>dds://</code>. Paste it here, or the whole message that it came in.</p>
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <p><label for="invite">Invite</label>
            <textarea name="invite" id="invite" rows="4" required autofocus autocomplete="off" autocapitalize="none" spellcheck="false" translate="no">{{offered}}</textarea></p>
            <button class="primary wide" name="action" value="invite">Continue</button>
            </form>
            <p class="hint">This page is on your own computer. The node is asked what the invite is for; nothing is created yet. The link that another device of yours has made goes here too.</p>
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <button class="wide" name="action" value="wantskit">I have a recovery kit</button>
            </form>
            {{>welcomeBottom}}
            """#,

        "welcomeKitEntry": #"""
            {{>welcomeTop}}
            <h1>Come back</h1>
            {{>welcomeProblem}}
            <p>With your recovery kit you go on as the same person on this computer. The lost one is let in no more.</p>
            <form method="post" action="/welcome" autocomplete="off" enctype="multipart/form-data">
            {{>welcomeToken}}
            <p><label for="kit">The code from the paper</label>
            <textarea name="kit" id="kit" rows="5" autofocus autocomplete="off" autocapitalize="characters" spellcheck="false" translate="no"></textarea></p>
            <p><label for="file">or the saved file</label><br>
            <input type="file" name="file" id="file" autocomplete="off"></p>
            <button class="primary wide" name="action" value="kit">Continue</button>
            <p><button class="quiet" name="action" value="stop">Back</button></p>
            </form>
            <p class="hint">Spaces, line ends and small letters make no difference.</p>
            {{>welcomeBottom}}
            """#,

        "welcomeCard": #"""
            {{>welcomeTop}}
            <h1>{{#isInvite}}You are invited{{/isInvite}}{{#isDevice}}Add this device{{/isDevice}}{{#isKit}}Your kit{{/isKit}}</h1>
            {{>welcomeProblem}}
            <dl>
            <dt>Node</dt><dd><bdi dir="auto">{{node}}</bdi></dd>
            <dt>Address</dt><dd><bdi dir="auto">{{host}}</bdi></dd>
            <dt>Key</dt><dd>{{keyWords}}</dd>
            {{#address}}<dt>You</dt><dd>{{#display}}<bdi dir="auto">{{display}}</bdi> {{/display}}&lt;<bdi dir="auto">{{address}}</bdi>&gt;</dd>{{/address}}
            {{#groups}}<dt>Groups</dt><dd><bdi dir="auto">{{groups}}</bdi></dd>{{/groups}}
            {{#until}}<dt>Valid until</dt><dd>{{until}}</dd>{{/until}}
            </dl>
            {{#isInvite}}<p class="hint">The node does not say who asked for this invite: whoever gave it to you should be able to read the same key words to you.</p>
            {{^address}}<p class="hint">It says only when you join what the invite is worth, and who you will be.</p>{{/address}}{{/isInvite}}
            {{#isDevice}}<p class="hint">Your other device has to be unlocked while this one is added.</p>{{/isDevice}}
            {{#isKit}}<p class="hint">What was on its way to the lost computer is gone. You will be told how much.</p>{{/isKit}}
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <button class="primary wide" name="action" value="goon" autofocus>Continue</button>
            </form>
            {{>welcomeStop}}
            {{>welcomeBottom}}
            """#,

        "welcomeName": #"""
            {{>welcomeTop}}
            <h1>{{#isDevice}}This device{{/isDevice}}{{^isDevice}}You{{/isDevice}}</h1>
            {{>welcomeProblem}}
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <label for="name">{{#isDevice}}What you call it{{/isDevice}}{{^isDevice}}Your name, as others see it{{/isDevice}}</label>
            <div class="field"><input type="text" name="name" id="name" value="{{name}}" required maxlength="100" dir="auto" autofocus autocomplete="off" spellcheck="false"></div>
            {{#address}}<p class="hint">Your address: <bdi dir="auto">{{address}}</bdi></p>{{/address}}
            <button class="primary wide" name="action" value="name">Continue</button>
            </form>
            <p class="hint">{{#isDevice}}It tells your devices apart in your own list.{{/isDevice}}{{^isDevice}}It stands beside your address in what you write. You can change it later.{{/isDevice}}</p>
            {{>welcomeStop}}
            {{>welcomeBottom}}
            """#,

        "welcomePassphrase": #"""
            {{>welcomeTop}}
            <h1>{{#isEarlier}}Your passphrase{{/isEarlier}}{{^isEarlier}}Invent a passphrase{{/isEarlier}}</h1>
            {{>welcomeProblem}}
            {{#isEarlier}}<p>An earlier try has left a key on this computer that nobody uses yet. Type the passphrase that you invented then, and joining goes on.</p>{{/isEarlier}}
            {{^isEarlier}}<p>You invent it now. It never leaves this computer.</p>
            {{#words}}<p>These six words were made for you. Write them down now, and type them below.</p>
            <p class="words">{{words}}</p>{{/words}}{{/isEarlier}}
            <form method="post" action="/welcome" autocomplete="off" id="unlock">
            {{>welcomeToken}}
            {{>passphraseField}}
            {{^isEarlier}}<label for="again">Again</label>
            <div class="field">
            <input type="password" name="again" id="again" required autocomplete="off" autocapitalize="none" spellcheck="false">
            <button class="quiet js" type="button" data-show="again" aria-pressed="false">Show</button>
            </div>{{/isEarlier}}
            <p class="hint warn" id="caps" role="status"></p>
            <button class="primary wide" data-busy="One moment…" name="action" value="passphrase">Continue</button>
            </form>
            {{^isEarlier}}<form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <button class="wide" name="action" value="suggest">{{#words}}Suggest other words{{/words}}{{^words}}Suggest six words{{/words}}</button>
            </form>
            <p class="hint">Several words that do not belong together are better than signs and digits: what counts is how many guesses it takes. Write it on paper and keep the paper at home. Nobody can reset it, not even the node.</p>{{/isEarlier}}
            {{#isEarlier}}<details><summary>I forgot it</summary>
            <p class="hint">Then begin anew: stop the agent, move its state folder away, and start it again. Where <code>ddsnode config paths</code> says it is. Ask for a new invite if this one was used.</p>
            </details>{{/isEarlier}}
            {{>welcomeStop}}
            {{>welcomeBottom}}
            """#,

        "welcomeWeak": #"""
            {{>welcomeTop}}
            <h1>A weak passphrase</h1>
            <p>It takes about {{guesses}} guesses. A machine that has a copy of your key file finds it in days or less. Another word or two would help.</p>
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <button class="primary wide" name="action" value="another" autofocus>Take another one</button>
            <p></p>
            <button class="wide" name="action" value="useweak">Use it all the same</button>
            </form>
            {{>welcomeBottom}}
            """#,

        "welcomeWorking": #"""
            {{>welcomeTop}}
            <h1>{{heading}} …</h1>
            {{>ticks}}
            <p class="hint">This page goes on by itself.</p>
            {{>welcomeBottom}}
            """#,

        "welcomeBusy": #"""
            {{>welcomeTop}}
            <h1>One moment</h1>
            <p>Somebody is joining from here just now, in another window or on the command line. This page goes on by itself.</p>
            {{>welcomeBottom}}
            """#,

        "welcomeKit": #"""
            {{>welcomeTop}}
            <h1>Recovery kit</h1>
            {{>welcomeProblem}}
            <p>You have joined. When this computer is lost, this code brings back who you are on another one. Print it now, or save it and print it later; then delete the file.</p>
            {{>kitCode}}
            <form method="post" action="/welcome" autocomplete="off" class="actions">
            {{>welcomeToken}}
            <button name="action" value="print" class="primary">Print</button>
            <button name="action" value="save">Save file</button>
            </form>
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <p><input type="checkbox" name="accept" id="accept" value="1" autocomplete="off"> <label for="accept">I accept that a lost passphrase loses all my mail</label></p>
            <button class="wide" name="action" value="kitdone">Continue</button>
            </form>
            <details class="person"><summary>What it can do, and what it cannot</summary>
            {{#kitSections}}<h2>{{head}}</h2>
            {{#paragraphs}}<p class="hint">{{.}}</p>{{/paragraphs}}
            {{/kitSections}}</details>
            {{>welcomeBottom}}
            """#,

        "kitCode": #"""
            {{#picture}}<p><svg class="code" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{pictureSize}} {{pictureSize}}" shape-rendering="crispEdges" role="img" aria-label="QR code of the same"><path class="paper" d="M0,0h{{pictureSize}}v{{pictureSize}}h-{{pictureSize}}z"/><path d="{{picture}}"/></svg></p>{{/picture}}
            <p translate="no"><code>{{kitCode}}</code></p>
            """#,

        "kitPrint": #"""
            {{>welcomeTop}}
            <h1><bdi dir="auto">{{kitTitle}}</bdi></h1>
            <p class="tools"><a class="button" href="{{back}}">Back</a>{{#filePath}} <a class="button" href="{{filePath}}">Save file</a>{{/filePath}} Print this page with your browser: Ctrl+P.</p>
            <div class="person">
            {{#kitSections}}<h2>{{head}}</h2>
            {{#paragraphs}}<p>{{.}}</p>{{/paragraphs}}
            {{/kitSections}}<h2>The code</h2>
            {{>kitCode}}
            </div>
            {{>welcomeBottom}}
            """#,

        "welcomeCheck": #"""
            {{>welcomeTop}}
            <h1>Is all well?</h1>
            {{>welcomeProblem}}
            <p>Type your passphrase once more. Your key is read back from the disk, and a message goes from you to yourself through the node.</p>
            <form method="post" action="/welcome" autocomplete="off" id="unlock">
            {{>welcomeToken}}
            {{>passphraseField}}
            <p class="hint warn" id="caps" role="status"></p>
            <button class="primary wide" data-busy="Opening…" name="action" value="check">Check</button>
            </form>
            {{>welcomeBottom}}
            """#,

        "welcomeDone": #"""
            {{>welcomeTop}}
            <h1>All is well</h1>
            {{>ticks}}
            <p>You are <bdi dir="auto">{{address}}</bdi>.</p>
            <form method="post" action="/welcome" autocomplete="off">
            {{>welcomeToken}}
            <button class="primary wide" name="action" value="finish" autofocus>Open the inbox</button>
            </form>
            {{>welcomeBottom}}
            """#,
    ]
}
