// Searching. What is looked for leaves the browser in a POST that is answered by 303, and stands in no address.

extension Templates {
    static let searchTexts = [
        "find": #"""
        <form class="find" method="post" action="/s" role="search" autocomplete="off">
        <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
        <label class="sr" for="q">Search</label>
        <input type="search" name="q" id="q" value="{{searchText}}" placeholder="Search" dir="auto" maxlength="1000" enterkeyhint="search" autocomplete="off" spellcheck="false" autocapitalize="none" writingsuggestions="false" translate="no"{{#searchFocus}} autofocus{{/searchFocus}}>
        </form>
        """#,

        "search": #"""
        {{>head}}
        {{>top}}
        <div class="tools"><h1>Search</h1><span class="grow"></span><span class="hint" role="status">{{foundText}}</span></div>
        {{#problem}}<p class="mark" role="alert">{{problem}}</p>{{/problem}}
        {{#indexingText}}<p class="hint" role="status">{{indexingText}}</p>{{/indexingText}}
        {{#hasChoices}}<form class="actions" method="post" action="/s" autocomplete="off">
        <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
        <input type="hidden" name="q" value="{{searchText}}" autocomplete="off">
        {{#choices}}<button name="add" value="{{choiceAdds}}"><bdi dir="auto">{{choiceLabel}}</bdi> <small>{{choiceCount}}</small></button>
        {{/choices}}</form>{{/hasChoices}}
        {{#hasRows}}<ul class="rows">
        {{#rows}}<li class="row{{#isUnread}} unread{{/isUnread}}">
        <span class="pick"></span>
        <a href="{{rowPath}}">
        <span class="dot">{{#isUnread}}<span class="sr">unread</span>{{/isUnread}}</span>
        <span class="from"><bdi dir="auto">{{senders}}</bdi>{{#showsCount}} <small>{{messageCount}}</small>{{/showsCount}}</span>
        <span class="what"><span class="subject"><bdi dir="auto">{{#subjectPieces}}{{>piece}}{{/subjectPieces}}</bdi></span> <span class="snippet"><bdi dir="auto">{{#snippetPieces}}{{>piece}}{{/snippetPieces}}</bdi></span></span>
        <span class="tags">{{#matchesText}}<span>{{matchesText}}</span>{{/matchesText}}{{#isStarredRow}}<span class="star" title="starred">★<span class="sr">starred</span></span>{{/isStarredRow}}{{#isDoubtful}}<span title="something is wrong with its sender">⚠<span class="sr">something is wrong with its sender</span></span>{{/isDoubtful}}{{#hasFile}}<span title="has a file">{{>clip}}<span class="sr">has a file</span></span>{{/hasFile}}{{#groupName}}<span class="tag {{groupHue}}"><bdi dir="auto">{{groupName}}</bdi></span>{{/groupName}}{{#isMutedRow}}<span class="tag">muted</span>{{/isMutedRow}}{{#sentText}}<span class="sent {{sentClass}}">{{sentText}}</span>{{/sentText}}</span>
        <time datetime="{{timeMachine}}" title="{{timeFull}}">{{timeShort}}</time>
        </a>
        </li>
        {{/rows}}</ul>
        <p class="pages">{{#newerPath}}<a href="{{newerPath}}" rel="prev">‹ Newer</a>{{/newerPath}}<span>{{rangeText}}</span>{{#olderPath}}<a href="{{olderPath}}" rel="next">Older ›</a>{{/olderPath}}</p>{{/hasRows}}
        {{#emptyHeading}}<div class="empty">
        <p class="big">{{emptyHeading}}</p>
        <p>{{emptyText}}</p>
        </div>{{/emptyHeading}}
        <details class="more"{{#isHelpOpen}} open{{/isHelpOpen}}><summary>How to search</summary>
        <form method="post" action="/s" autocomplete="off">
        <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
        <dl>
        {{#examples}}<dt><button name="q" value="{{exampleText}}">{{exampleText}}</button></dt><dd>{{exampleMeans}}</dd>
        {{/examples}}</dl>
        </form>
        <p class="hint">Case and accents do not matter. Other names: <code>to:</code> <code>in:inbox</code> <code>in:archive</code> <code>in:sent</code> <code>in:private</code> <code>in:trash</code> <code>is:read</code> <code>is:starred</code>; <code>-</code> in front of anything means without.</p>
        </details>
        {{>bottom}}
        """#,

        "piece": #"{{#isMatch}}<mark>{{pieceText}}</mark>{{/isMatch}}{{^isMatch}}{{pieceText}}{{/isMatch}}"#,
    ]
}
