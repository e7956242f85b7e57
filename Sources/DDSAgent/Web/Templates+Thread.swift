// A thread on one page, and the marks and states of its messages.

extension Templates {
    static let threadTexts = [
        "thread": #"""
            {{>head}}
            {{>top}}
            <div class="tools">
            <a class="back" href="{{backPath}}" data-back>‹ <span>{{backText}}</span></a>
            <span class="grow"></span>
            <form method="post" action="/do" autocomplete="off">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <input type="hidden" name="id" value="{{threadID}}" autocomplete="off">
            <input type="hidden" name="back" value="{{herePath}}" autocomplete="off">
            <input type="hidden" name="list" value="{{backPath}}" autocomplete="off">
            {{#newerID}}<input type="hidden" name="newer" value="{{newerID}}" autocomplete="off">{{/newerID}}{{#olderID}}<input type="hidden" name="older" value="{{olderID}}" autocomplete="off">{{/olderID}}
            {{#isTrash}}<button name="action" value="restore">Restore</button>{{/isTrash}}{{^isTrash}}{{#isArchived}}<button name="action" value="unarchive" data-key="e">Move to inbox</button>{{/isArchived}}{{^isArchived}}<button name="action" value="archive" data-key="e">Archive</button>{{/isArchived}}
            {{#isMuted}}<button name="action" value="unmute" data-key="m">Unmute</button>{{/isMuted}}{{^isMuted}}<button name="action" value="mute" data-key="m">Mute</button>{{/isMuted}}
            {{#isStarred}}<button name="action" value="unstar" data-key="s" aria-pressed="true">★ Starred</button>{{/isStarred}}{{^isStarred}}<button name="action" value="star" data-key="s">Star</button>{{/isStarred}}
            {{/isTrash}}<details class="menu"><summary>More</summary><div>
            {{^isTrash}}<button name="action" value="trash" data-key="#">Move to trash</button>
            <button name="action" value="unread" data-key="U">Mark unread</button>
            <button name="action" value="archiveolder" data-key="]">Archive, then the next</button>
            <button name="action" value="archivenewer" data-key="[">Archive, then the one before</button>
            {{/isTrash}}<a class="button" href="/t/{{threadID}}/print">Print view</a>
            </div></details>
            </form>
            </div>
            <article class="thread">
            <h1><bdi dir="auto">{{subject}}</bdi></h1>
            <details class="readers band {{threadHue}}"><summary>{{#threadGroup}}<strong><bdi dir="auto">{{threadGroup}}</bdi></strong> — {{/threadGroup}}{{readersText}}</summary>
            <ul>{{#readers}}<li><bdi dir="auto">{{reader}}</bdi></li>{{/readers}}</ul>
            {{#unconfirmed}}<form class="actions" method="post" action="/do" autocomplete="off">
            <p>You own this group and have not confirmed who is in it.{{#hasChanges}} Since an owner last did:{{/hasChanges}}</p>
            {{#hasChanges}}<ul>{{#changes}}<li><bdi dir="auto">{{change}}</bdi></li>{{/changes}}</ul>{{/hasChanges}}
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <input type="hidden" name="roster" value="{{rosterHash}}" autocomplete="off">
            <input type="hidden" name="back" value="{{herePath}}" autocomplete="off">
            <button name="action" value="confirm">Confirm that these are the members</button>
            </form>
            {{/unconfirmed}}</details>
            {{#earlierPath}}<p class="pages"><a href="{{earlierPath}}" rel="prev">‹ {{earlierText}}</a></p>{{/earlierPath}}
            {{#messages}}
            {{#events}}<p class="mark {{eventClass}} event"><bdi dir="auto">{{#eventSign}}⚠ {{/eventSign}}{{eventText}}</bdi> <time datetime="{{timeMachine}}" title="{{timeFull}}">{{timeShort}}</time></p>
            {{/events}}{{#isFirstNew}}<p class="divider"><span>new since you were here</span></p>{{/isFirstNew}}
            <details class="message depth{{depth}}{{#isNew}} new{{/isNew}}{{#isOwn}} own{{/isOwn}}" id="m-{{messageID}}"{{#isOpen}} open{{/isOpen}}>
            <summary><span class="name"><bdi dir="auto">{{senderName}}</bdi></span> <span class="address"><bdi dir="auto">{{senderAddress}}</bdi></span>{{#isNew}} <span class="dot"><span class="sr">unread</span></span>{{/isNew}}<span class="preview"><bdi dir="auto">{{preview}}</bdi></span>{{#sentText}}<span class="sent {{sentClass}}" title="{{sentLong}}">{{sentText}}</span>{{/sentText}}<time datetime="{{timeMachine}}" title="{{timeFull}}">{{timeShort}}</time></summary>
            {{#marks}}<p class="mark {{markClass}}">{{#markSign}}⚠ {{/markSign}}{{markText}}</p>
            {{/marks}}{{#urgentPeople}}<p class="mark"><a href="/k/{{personID}}">Compare keys with <bdi dir="auto">{{personName}}</bdi></a></p>
            {{/urgentPeople}}{{#copyWords}}<p class="mark info copies"><bdi dir="auto">{{copyWords}}</bdi></p>
            {{/copyWords}}{{>html}}{{^framePath}}<div class="body">
            {{#parts}}{{#isQuote}}<details class="quote"><summary>{{quoteText}}</summary><blockquote class="text" dir="auto">{{>runs}}</blockquote></details>
            {{/isQuote}}{{#isSignature}}<div class="text signature" dir="auto">{{>runs}}</div>
            {{/isSignature}}{{#isText}}<div class="text" dir="auto">{{>runs}}</div>
            {{/isText}}{{/parts}}</div>
            {{/framePath}}{{>files}}
            <details class="more"><summary>Details</summary>
            <dl>
            <dt>To</dt><dd>{{#recipients}}<bdi dir="auto">{{recipient}}</bdi><br>{{/recipients}}</dd>
            <dt>Sent</dt><dd>{{timeFull}}</dd>
            {{#answersID}}<dt>Answers</dt><dd><a href="#m-{{answersID}}">a message above</a></dd>{{/answersID}}
            {{#signatureWords}}<dt>Signature</dt><dd><bdi dir="auto">{{signatureWords}}</bdi></dd>{{/signatureWords}}
            {{#people}}<dt>Keys</dt><dd><a href="/k/{{personID}}">Compare keys with <bdi dir="auto">{{personName}}</bdi></a></dd>{{/people}}
            {{#readersWords}}<dt>Readers</dt><dd>{{readersWords}}</dd>{{/readersWords}}
            {{#internetID}}<dt>Message-ID</dt><dd><bdi dir="auto">{{internetID}}</bdi></dd>{{/internetID}}
            {{#nodeWords}}<dt>Node</dt><dd>{{nodeWords}}</dd>{{/nodeWords}}
            {{#truths}}<dt>{{truthName}}</dt><dd><bdi dir="auto">{{truthWords}}</bdi></dd>
            {{/truths}}
            {{#sentText}}<dt>State</dt><dd>{{sentLong}}</dd>{{/sentText}}
            <dt>Source</dt><dd><a href="/m/{{messageID}}/source">As it was sent</a></dd>
            </dl>
            </details>
            {{#canAnswer}}<form class="answer" method="post" action="/do" autocomplete="off">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <input type="hidden" name="id" value="{{messageID}}" autocomplete="off">
            <input type="hidden" name="back" value="{{herePath}}" autocomplete="off">
            <button name="action" value="reply" class="hued {{threadHue}}" data-reply="all">{{replyAllText}}</button>
            {{#offersAuthor}}<button name="action" value="author" data-reply="author">Reply only to <bdi dir="auto">{{senderName}}</bdi></button>{{/offersAuthor}}
            <button name="action" value="forward" class="quiet" data-reply="forward">Forward</button>
            {{^isOwn}}<button name="action" value="unreadfrom" class="quiet">Unread from here</button>{{/isOwn}}
            </form>{{/canAnswer}}
            </details>
            {{/messages}}
            {{#laterPath}}<p class="pages"><a href="{{laterPath}}" rel="next">{{laterText}} ›</a></p>{{/laterPath}}
            {{#lastEvents}}<p class="mark {{eventClass}} event"><bdi dir="auto">{{#eventSign}}⚠ {{/eventSign}}{{eventText}}</bdi> <time datetime="{{timeMachine}}" title="{{timeFull}}">{{timeShort}}</time></p>
            {{/lastEvents}}</article>
            {{>bottom}}
            """#,

        "print": #"""
            {{>head}}
            <body class="paper" data-page="{{pageKind}}">
            <main id="main">
            <h1><bdi dir="auto">{{subject}}</bdi></h1>
            <p class="hint">{{#threadGroup}}<bdi dir="auto">{{threadGroup}}</bdi> — {{/threadGroup}}{{readersText}}</p>
            {{#messages}}<article class="message">
            <h2><bdi dir="auto">{{senderName}}</bdi> <span class="address"><bdi dir="auto">{{senderAddress}}</bdi></span></h2>
            <p class="hint"><time datetime="{{timeMachine}}">{{timeFull}}</time> · to {{#recipients}}<bdi dir="auto">{{recipient}}</bdi> {{/recipients}}</p>
            {{#marks}}<p class="mark {{markClass}}">{{#markSign}}⚠ {{/markSign}}{{markText}}</p>
            {{/marks}}{{#parts}}{{#isQuote}}<blockquote class="text" dir="auto">{{partText}}</blockquote>
            {{/isQuote}}{{^isQuote}}<div class="text" dir="auto">{{partText}}</div>
            {{/isQuote}}{{/parts}}{{#hasFiles}}<p class="hint">{{#files}}<bdi dir="auto">{{fileStem}}</bdi>{{fileEnding}} ({{fileSize}}) {{/files}}</p>{{/hasFiles}}
            </article>
            {{/messages}}
            </main>
            </body>
            </html>

            """#,
    ]
}
