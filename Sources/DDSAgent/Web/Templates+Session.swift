// The page in front of everything: unlocking. It shows nothing of the mail.

extension Templates {
    static let sessionTexts = [
        "passphraseField": #"""
            <label for="passphrase">Passphrase</label>
            <div class="field">
            <input type="password" name="passphrase" id="passphrase" required autofocus autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="caps">
            <button class="quiet js" type="button" data-show="passphrase" aria-pressed="false">Show</button>
            </div>
            """#,

        "unlock": #"""
            {{>head}}
            <body class="alone" data-page="unlock">
            <main class="card" id="main">
            <p class="brand"><span class="gem" aria-hidden="true">◆</span> DDS</p>
            <h1>Unlock</h1>
            {{#identity}}<p class="who"><bdi dir="auto">{{identity}}</bdi></p>{{/identity}}
            {{#notice}}<p class="notice bad" role="alert">{{notice}}</p>{{/notice}}
            <form method="post" action="/unlock" autocomplete="off" id="unlock">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            {{>passphraseField}}
            <p class="hint warn" id="caps" role="status"></p>
            <button class="primary wide" data-busy="Opening…">Unlock</button>
            </form>
            <p class="hint" id="about">This opens your private key on this computer. Nobody can reset it, not even the node.</p>
            {{#failedText}}<p class="hint warn">{{failedText}}</p>{{/failedText}}
            <details><summary>I forgot it</summary>
            <p class="hint">The passphrase cannot be found out. With your recovery kit run <code>ddsnode key restore</code> and choose a new one. Without the kit the mail on this computer stays closed.</p>
            </details>
            </main>
            </body>
            </html>

            """#
    ]
}
