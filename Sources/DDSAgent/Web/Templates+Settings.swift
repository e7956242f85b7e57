// The settings: a page for each tab, every form of which works without the script.

extension Templates {
    static let settingsTexts = [
        "settingsTop": #"""
            {{>head}}
            {{>top}}
            <article class="thread person">
            <h1>Settings</h1>
            <div class="tabs" role="navigation" aria-label="Settings">{{#tabs}}<a href="{{tabPath}}"{{#isCurrentTab}} aria-current="page"{{/isCurrentTab}}>{{tabLabel}}</a>{{/tabs}}</div>

            """#,

        "settingsBottom": #"""

            </article>
            {{>bottom}}
            """#,

        "settingsForm": #"""
            <form method="post" action="{{tabPath}}" autocomplete="off">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">

            """#,

        "settingsSave": #"<p><button class="primary" name="action" value="save">Save</button></p>"#,

        "facts": #"<dl>{{#facts}}<dt>{{factName}}</dt><dd><bdi dir="auto">{{factWords}}</bdi></dd>{{/facts}}</dl>"#,

        "settingsYou": #"""
            {{>settingsTop}}
            {{>settingsForm}}
            <section>
            <p><label for="name">Your name, as it stands in what you write</label><br>
            <input type="text" name="name" id="name" value="{{name}}" required maxlength="100" dir="auto" autocomplete="off" spellcheck="false" writingsuggestions="false"></p>
            <p class="hint">Your address is <bdi dir="auto">{{address}}</bdi>, which the node has given you. In its lists of members you have the name of your invite; its keepers can change that one.</p>
            </section>
            <section>
            <p><label for="signature">Signature, at the end of new messages and answers</label>
            <textarea name="signature" id="signature" rows="4" maxlength="{{signatureMax}}" dir="auto" autocomplete="off" spellcheck="{{spellcheck}}" writingsuggestions="false" translate="no">
            {{signature}}</textarea></p>
            <p class="hint">It is kept sealed, and goes out with your messages. At most {{signatureMax}} characters.</p>
            </section>
            <section>
            <p><input type="checkbox" name="spellcheck" id="spellcheck" value="1"{{#checksSpelling}} checked{{/checksSpelling}} autocomplete="off"> <label for="spellcheck">Let the browser check spelling</label></p>
            <p class="hint">Off at first: some browsers send what you type to a service on the internet for it.</p>
            </section>
            <section>
            <p><label for="undo">Seconds in which a sent message can be taken back, 0 to 60</label><br>
            <input type="number" name="undo" id="undo" value="{{undo}}" min="0" max="60" placeholder="{{configuredUndo}}" autocomplete="off"></p>
            <p class="hint">Empty means {{configuredUndo}}, as the configuration has it.</p>
            </section>
            {{>settingsSave}}
            </form>
            {{>settingsBottom}}
            """#,

        "settingsKeys": #"""
            {{>settingsTop}}
            <section>
            <h2>Your key, for others to compare</h2>
            {{#own}}{{>fingerprint}}{{/own}}
            </section>
            <section>
            <h2>People whose keys you know</h2>
            <ul class="files">{{#contacts}}<li><a href="/k/{{personID}}"><bdi dir="auto">{{contactAddress}}</bdi></a> <span class="{{#isUrgent}}warn{{/isUrgent}}{{^isUrgent}}soft{{/isUrgent}}">{{#isUrgent}}⚠ {{/isUrgent}}{{contactStanding}}</span></li>
            {{/contacts}}</ul>
            {{^contacts}}<p class="hint">Nobody's yet. Keys come with groups and with first messages.</p>{{/contacts}}
            </section>
            <section>
            <h2>Passphrase</h2>
            {{>settingsForm}}
            <p><label for="old">The one you have</label><br>
            <input type="password" name="old" id="old" required autocomplete="off" autocapitalize="none" spellcheck="false"></p>
            <p><label for="new">A new one</label><br>
            <input type="password" name="new" id="new" required autocomplete="off" autocapitalize="none" spellcheck="false"></p>
            <p><label for="again">The new one again</label><br>
            <input type="password" name="again" id="again" required autocomplete="off" autocapitalize="none" spellcheck="false"></p>
            <p><button name="action" value="passphrase">Change the passphrase</button></p>
            <p class="hint">Several words that do not belong together. Copies of the key file in backups still open with the one you have now.</p>
            </form>
            </section>
            <section>
            <h2>Recovery kit</h2>
            <p>A page to print that brings back who you are on another computer when this one is lost. It needs no passphrase there: whoever has it can become you.</p>
            {{>settingsForm}}
            <p><label for="passphrase">Your passphrase</label><br>
            <input type="password" name="passphrase" id="passphrase" required autocomplete="off" autocapitalize="none" spellcheck="false"></p>
            <p><button name="action" value="kit">Make a kit</button></p>
            </form>
            </section>
            {{>settingsBottom}}
            """#,

        "settingsGroups": #"""
            {{>settingsTop}}
            {{>settingsForm}}
            <p>What comes to a muted group stays out of the inbox and is not counted. You find it all under the group itself.</p>
            {{#memberships}}<section>
            <h2><span class="hue {{hue}}" aria-hidden="true"></span> <a href="{{groupPath}}"><bdi dir="auto">{{groupName}}</bdi></a></h2>
            <p class="hint">{{groupWords}}. To leave it, ask {{#owners}}an owner, <bdi dir="auto">{{owners}}</bdi>, or {{/owners}}the keepers of the node.</p>
            <p><input type="checkbox" name="muted" id="g-{{groupID}}" value="{{groupID}}"{{#isMutedGroup}} checked{{/isMutedGroup}} autocomplete="off"> <label for="g-{{groupID}}">Muted<span class="sr">: {{groupName}}</span></label></p>
            </section>
            {{/memberships}}
            {{#hasMemberships}}{{>settingsSave}}{{/hasMemberships}}
            {{^hasMemberships}}<p>You are in no group yet.</p>{{/hasMemberships}}
            </form>
            {{>settingsBottom}}
            """#,

        "settingsDevices": #"""
            {{>settingsTop}}
            <section>
            <h2>Your devices</h2>
            {{#devicesTrouble}}<p class="mark">⚠ The node was not asked for them: {{devicesTrouble}}</p>{{/devicesTrouble}}
            <ul class="files">{{#devices}}<li><strong>{{#deviceTitle}}<bdi dir="auto">{{deviceTitle}}</bdi>{{/deviceTitle}}{{^deviceTitle}}Device {{deviceNumber}}{{/deviceTitle}}</strong> <span class="soft">{{deviceWords}}</span>{{#isThisDevice}} <span>this one</span>{{/isThisDevice}}
            {{^isThisDevice}}<details><summary>Remove<span class="sr"> device {{deviceNumber}}</span></summary>
            {{>settingsForm}}
            <input type="hidden" name="number" value="{{deviceNumber}}" autocomplete="off">
            <p class="hint">It is let in no more, and what waits for it is gone. What it has already stays there.</p>
            <button class="danger" name="action" value="remove">Remove device {{deviceNumber}}</button>
            </form></details>{{/isThisDevice}}</li>
            {{/devices}}</ul>
            </section>
            <section>
            <h2>Another device</h2>
            {{#linkWords}}<p class="mark info" role="status">{{linkWords}}</p>{{/linkWords}}
            {{#link}}<p>Paste this on the other device when it asks for an invite, or scan it. It is good once, until {{linkUntil}}, while this device is unlocked. Whoever has it until then becomes you: send it to nobody.</p>
            {{#picture}}<p><svg class="code" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{pictureSize}} {{pictureSize}}" shape-rendering="crispEdges" role="img" aria-label="QR code of the link"><path class="paper" d="M0,0h{{pictureSize}}v{{pictureSize}}h-{{pictureSize}}z"/><path d="{{picture}}"/></svg></p>{{/picture}}
            <p translate="no"><code id="link">{{linkText}}</code></p>
            <p class="actions"><button type="button" class="js" data-copy="link">Copy</button> <a class="button" href="/settings/devices">Was it used?</a></p>{{/link}}
            {{>settingsForm}}
            <button name="action" value="link">{{#link}}Make another link{{/link}}{{^link}}Link another device{{/link}}</button>
            </form>
            </section>
            <section>
            <h2>Browsers that are signed in here</h2>
            <ul class="files">{{#browsers}}<li><span>{{browserWords}}</span>{{#isThisBrowser}} <strong>this one</strong>{{/isThisBrowser}}
            {{^isThisBrowser}}{{>settingsForm}}
            <input type="hidden" name="browser" value="{{browserName}}" autocomplete="off">
            <button name="action" value="end">Sign it out</button>
            </form>{{/isThisBrowser}}</li>
            {{/browsers}}</ul>
            <p class="hint">Locking signs out all of them.</p>
            </section>
            {{>settingsBottom}}
            """#,

        "settingsGateway": #"""
            {{>settingsTop}}
            <p>A mail program on this computer can read and send your mail too. Everything goes sealed to the node and back all the same, and only your own programs may connect.</p>
            <p class="mark">⚠ Your mail program keeps what it fetches in clear on the disk, where a lock of this page does not reach.</p>
            {{#problems}}<p class="mark">⚠ <bdi dir="auto">{{problemText}}</bdi></p>
            {{/problems}}{{#fresh}}<section>
            <h2>Password for <bdi dir="auto">{{freshName}}</bdi></h2>
            <p translate="no"><code id="app-password">{{freshText}}</code></p>
            <p class="actions"><button type="button" class="js" data-copy="app-password">Copy</button></p>
            <p class="hint">It is shown this once. Who needs it again makes another.</p>
            </section>
            {{/fresh}}{{#rows}}<section>
            <h2>{{rowTitle}}</h2>
            {{#isOn}}<dl><dt>Server</dt><dd translate="no">{{host}}</dd><dt>Port</dt><dd>{{port}}</dd><dt>User</dt><dd><bdi dir="auto">{{user}}</bdi></dd><dt>Encryption</dt><dd>{{#isTLS}}TLS{{/isTLS}}{{^isTLS}}none, as it does not leave this computer{{/isTLS}}</dd></dl>{{/isOn}}{{^isOn}}<p>It is off.</p>{{/isOn}}
            {{#isConfigured}}<p class="hint">The configuration has it on.</p>{{/isConfigured}}{{^isConfigured}}{{>settingsForm}}
            <input type="hidden" name="protocol" value="{{rowName}}" autocomplete="off">
            <button name="action" value="{{#isOn}}off{{/isOn}}{{^isOn}}on{{/isOn}}">Switch {{rowTitle}} {{#isOn}}off{{/isOn}}{{^isOn}}on{{/isOn}}</button>
            </form>{{/isConfigured}}
            </section>
            {{/rows}}
            {{#isAnyOn}}<section><p class="hint">POP3 with <code>+GROUP</code> behind your name, as in bob+board, shows one group. What is fetched counts as read here, and what is deleted there is in the trash here. Thunderbird and others set themselves up by <a href="/mail/config-v1.1.xml">this file</a>.</p></section>{{/isAnyOn}}
            <section>
            <h2>TLS</h2>
            {{#isTLS}}<p>Mail programs speak TLS with the gateway. They have to trust <a href="/mail/gateway-ca.pem">this authority</a>, which has signed one certificate and can sign no other; <code>ddsnode gateway trust</code> tells Thunderbird.</p>
            {{#fingerprint}}<p class="hint">Its fingerprint (SHA-256): <code translate="no">{{fingerprint}}</code></p>{{/fingerprint}}{{/isTLS}}{{^isTLS}}<p>Off: nothing leaves this computer, and other users of it cannot connect. For mail programs that insist on TLS it can be on for all.</p>{{/isTLS}}
            {{#isTLSConfigured}}<p class="hint">The configuration has it on.</p>{{/isTLSConfigured}}{{^isTLSConfigured}}{{>settingsForm}}
            <button name="action" value="{{#isTLS}}clear{{/isTLS}}{{^isTLS}}tls{{/isTLS}}">Switch TLS {{#isTLS}}off{{/isTLS}}{{^isTLS}}on{{/isTLS}}</button>
            </form>{{/isTLSConfigured}}
            </section>
            <section>
            <h2>Passwords</h2>
            <p>Each mail program has one of its own. Without one, nothing can log in.</p>
            <ul class="files">{{#passwords}}<li><strong><bdi dir="auto">{{passwordName}}</bdi></strong> <span class="soft">{{passwordWords}}</span>
            {{>settingsForm}}
            <input type="hidden" name="name" value="{{passwordID}}" autocomplete="off">
            <button class="danger" name="action" value="revoke">Revoke<span class="sr"> {{passwordName}}</span></button>
            </form></li>
            {{/passwords}}</ul>
            {{>settingsForm}}
            <p><label for="password-name">What you call the mail program</label><br>
            <input type="text" name="name" id="password-name" required maxlength="{{nameMax}}" dir="auto" autocomplete="off" spellcheck="false" writingsuggestions="false"></p>
            <p><button name="action" value="add">Make a password</button></p>
            </form>
            </section>
            {{>settingsBottom}}
            """#,

        "settingsChoice": #"<p><input type="radio" name="{{choiceName}}" id="{{choiceName}}-{{choiceValue}}" value="{{choiceValue}}"{{#isChosen}} checked{{/isChosen}} autocomplete="off"> <label for="{{choiceName}}-{{choiceValue}}">{{choiceLabel}}</label></p>"#,

        "settingsAppearance": #"""
            {{>settingsTop}}
            {{>settingsForm}}
            <fieldset><legend>Colours</legend>
            {{#themes}}{{>settingsChoice}}
            {{/themes}}</fieldset>
            <fieldset><legend>Rows</legend>
            {{#densities}}{{>settingsChoice}}
            {{/densities}}</fieldset>
            <section>
            <p><input type="checkbox" name="titles" id="titles" value="1"{{#isTitled}} checked{{/isTitled}} autocomplete="off"> <label for="titles">Show the number of unread messages in the title</label></p>
            <p class="hint">Browsers keep titles on the disk, and with them how much was unread.</p>
            </section>
            <section>
            <p><input type="checkbox" name="keys" id="keys" value="1"{{#hasKeys}} checked{{/hasKeys}} autocomplete="off"> <label for="keys">Single letters are commands</label> <button type="button" class="quiet js" data-help>Which?</button></p>
            <p class="hint">Switch them off if you speak to your computer, or press keys by accident. Ctrl Enter goes on to send.</p>
            </section>
            {{>settingsSave}}
            </form>
            {{>settingsBottom}}
            """#,

        "settingsNode": #"""
            {{>settingsTop}}
            <section>
            {{>facts}}
            </section>
            <section>
            <h2>State</h2>
            {{#problems}}<p class="mark">⚠ <bdi dir="auto">{{problemText}}</bdi></p>
            {{/problems}}{{^hasProblems}}<p>All is well.</p>{{/hasProblems}}
            </section>
            <section>
            <h2>This computer</h2>
            <ul class="files">{{#findings}}<li>{{#factWords}}<span class="warn">⚠ <bdi dir="auto">{{factName}}</bdi></span> <bdi dir="auto">{{factWords}}</bdi>{{/factWords}}{{^factWords}}<span aria-hidden="true">✓</span> <bdi dir="auto">{{factName}}</bdi>{{/factWords}}</li>
            {{/findings}}</ul>
            <p class="hint"><code>ddsnode doctor</code> looks at more.</p>
            </section>
            {{>settingsBottom}}
            """#,

        "settingsAbout": #"""
            {{>settingsTop}}
            <section>
            <p>ddsnode {{version}}, under the Apache License 2.0.</p>
            {{>facts}}
            </section>
            <section>
            <h2>Made with</h2>
            <dl>{{#libraries}}<dt>{{factName}}</dt><dd>{{factWords}}</dd>{{/libraries}}</dl>
            </section>
            {{>settingsBottom}}
            """#,
    ]
}
