// The page about a person's key: what to compare, and what to say about it. Every form works without the script.

extension Templates {
    static let personTexts = [
        "fingerprint": #"""
            <p class="words">{{words}}</p>
            <p class="hint hex">{{hex}}</p>
            {{#picture}}<svg class="code" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{pictureSize}} {{pictureSize}}" shape-rendering="crispEdges" role="img" aria-label="QR code of the same"><path class="paper" d="M0,0h{{pictureSize}}v{{pictureSize}}h-{{pictureSize}}z"/><path d="{{picture}}"/></svg>{{/picture}}
            """#,

        "personForm": #"""
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <input type="hidden" name="id" value="{{personID}}" autocomplete="off">
            <input type="hidden" name="fingerprint" value="{{currentHex}}" autocomplete="off">
            <input type="hidden" name="back" value="{{herePath}}" autocomplete="off">
            """#,

        "person": #"""
            {{>head}}
            {{>top}}
            <article class="thread person">
            <h1>Keys of <bdi dir="auto">{{address}}</bdi></h1>
            <p class="mark{{^isAlarming}} info{{/isAlarming}}">{{#isAlarming}}⚠ {{/isAlarming}}{{standing}} <time datetime="{{timeMachine}}" title="{{timeFull}}">{{sinceText}}</time></p>
            {{#awaitsDecision}}<section>
            <h2>Decide</h2>
            <p>{{waitingWords}} Compare the new key, or ask on another way whether there is one. A key changes when somebody joins anew; it also does when somebody wants to read your mail.</p>
            <form method="post" action="/do" autocomplete="off" class="actions">
            {{>personForm}}
            <button name="action" value="accepted">Send to the new key without comparing</button>
            {{#hasWaiting}}<button name="action" value="discarded">Do not send what waits</button>{{/hasWaiting}}
            </form>
            <p class="hint">Doing nothing keeps it waiting.</p>
            </section>
            {{/awaitsDecision}}<section>
            <h2>Their key</h2>
            {{#current}}{{>fingerprint}}{{/current}}
            </section>
            {{#former}}<section>
            <h2>A key they had before</h2>
            {{>fingerprint}}
            </section>
            {{/former}}<section>
            <h2>Yours, for them to compare</h2>
            {{#own}}{{>fingerprint}}{{/own}}
            </section>
            <section>
            <h2>Compare</h2>
            {{#isCompared}}<form method="post" action="/do" autocomplete="off" class="actions">
            {{>personForm}}
            <button name="action" value="uncompared">It was not compared after all</button>
            </form>{{/isCompared}}
            {{^isCompared}}<p>Meet them or call them: this node must have no part in it. Each reads their own words out, and the other one looks whether they are the same here.</p>
            <form method="post" action="/do" autocomplete="off" class="actions">
            {{>personForm}}
            <label for="typed">What they read to you, or what your camera made of their code</label>
            <input type="text" name="typed" id="typed" autocomplete="off" autocapitalize="none" spellcheck="false">
            <button name="action" value="typed">Compare for me</button>
            <button name="action" value="compared" class="primary">They are the same</button>
            </form>{{/isCompared}}
            </section>
            </article>
            {{>bottom}}
            """#,
    ]
}
