// Lists of threads. The whole row is one link; the actions are one form, so they work without the script.

extension Templates {
    static let listTexts = [
        "list": #"""
            {{>head}}
            {{>top}}
            <form method="post" action="/do" autocomplete="off" id="rows">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <input type="hidden" name="back" value="{{herePath}}" autocomplete="off">
            <div class="tools">
            <h1>{{#headingHue}}<span class="hue {{headingHue}}" aria-hidden="true"></span>{{/headingHue}}<bdi dir="auto">{{heading}}</bdi></h1>
            {{#hasActions}}<span class="grow"></span>
            {{#isTrash}}<button name="action" value="restore">Restore</button>
            <a class="button" href="/b/empty">Empty trash</a>{{/isTrash}}{{^isTrash}}{{#isArchive}}<button name="action" value="unarchive" data-key="e">Move to inbox</button>{{/isArchive}}{{^isArchive}}<button name="action" value="archive" data-key="e">Archive</button>{{/isArchive}}
            <button name="action" value="mute" data-key="m" class="wideonly">Mute</button>
            <button name="action" value="unread" data-key="U" class="wideonly">Unread</button>
            <button name="action" value="star" data-key="s" class="wideonly">Star</button>
            <details class="menu"><summary>More</summary><div>
            <button name="action" value="mute" class="phoneonly">Mute</button>
            <button name="action" value="unread" class="phoneonly">Mark unread</button>
            <button name="action" value="star" class="phoneonly">Star</button>
            <button name="action" value="trash" data-key="#">Move to trash</button>
            <button name="action" value="read">Mark read</button>
            <button name="action" value="unmute">Unmute</button>
            <button name="action" value="unstar">Remove the star</button>
            <button name="action" value="allread">Mark all read</button>
            </div></details>{{/isTrash}}{{/hasActions}}
            </div>
            {{#hasRows}}<ul class="rows">
            {{#rows}}<li class="row{{#isUnread}} unread{{/isUnread}}{{#isMutedRow}} muted{{/isMutedRow}}">
            <label class="pick">{{#hasActions}}<input type="checkbox" name="id" value="{{threadID}}" autocomplete="off"><span class="sr">Select</span>{{/hasActions}}</label>
            <a href="{{rowPath}}">
            <span class="dot">{{#isUnread}}<span class="sr">unread</span>{{/isUnread}}</span>
            <span class="from"><bdi dir="auto">{{senders}}</bdi>{{#showsCount}} <small>{{messageCount}}</small>{{/showsCount}}</span>
            <span class="what"><span class="subject"><bdi dir="auto">{{subject}}</bdi></span> <span class="snippet"><bdi dir="auto">{{snippet}}</bdi></span></span>
            <span class="tags">{{#isStarredRow}}<span class="star" title="starred">★<span class="sr">starred</span></span>{{/isStarredRow}}{{#isDoubtful}}<span title="something is wrong with its sender">⚠<span class="sr">something is wrong with its sender</span></span>{{/isDoubtful}}{{#hasFile}}<span title="has a file">{{>clip}}<span class="sr">has a file</span></span>{{/hasFile}}{{#groupName}}<span class="tag {{groupHue}}"><bdi dir="auto">{{groupName}}</bdi></span>{{/groupName}}{{#isMutedRow}}<span class="tag">muted</span>{{/isMutedRow}}{{#sentText}}<span class="sent {{sentClass}}">{{sentText}}</span>{{/sentText}}</span>
            <time datetime="{{timeMachine}}" title="{{timeFull}}">{{timeShort}}</time>
            </a>
            </li>
            {{/rows}}</ul>
            <p class="pages">{{#newerPath}}<a href="{{newerPath}}" rel="prev">‹ Newer</a>{{/newerPath}}<span>{{rangeText}}</span>{{#olderPath}}<a href="{{olderPath}}" rel="next">Older ›</a>{{/olderPath}}</p>{{/hasRows}}
            {{^hasRows}}<div class="empty">
            <p class="big">{{emptyHeading}}</p>
            <p>{{emptyText}}</p>
            <p><a class="button" href="/w">Write a message</a></p>
            </div>{{/hasRows}}
            </form>
            {{>bottom}}
            """#,

        "emptyTrash": #"""
            {{>head}}
            {{>top}}
            <div class="empty">
            <h1>Empty the trash?</h1>
            <p>Everything of {{threadsText}} in it is erased for ever. Nothing brings it back.</p>
            <form method="post" action="/b/empty" autocomplete="off">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <p><button name="action" value="empty" class="danger">Erase for ever</button> <a class="button" href="/b">Keep it</a></p>
            </form>
            </div>
            {{>bottom}}
            """#,
    ]
}
