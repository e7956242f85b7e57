// Writing. The text leaves the browser only in POSTs that are answered by 303, so no copy of it stays on the disk.

extension Templates {
    static let writeTexts = [
        "write": #"""
            {{>head}}
            {{>top}}
            <div class="tools">
            <a class="back" href="{{backPath}}" data-back>‹ <span>{{backText}}</span></a>
            <span class="grow"></span>
            <span class="hint" id="saved" role="status">{{savedText}}</span>
            </div>
            <form class="compose" method="post" action="/w/{{draftID}}" enctype="multipart/form-data" autocomplete="off" id="compose">
            <input type="hidden" name="token" value="{{formToken}}" autocomplete="off">
            <h1>{{heading}}</h1>
            {{#hasProblems}}<div class="problems" role="alert" tabindex="-1">
            <p>{{problemsText}}</p>
            <ul>{{#problems}}<li><a href="#f-{{problemField}}">{{problemText}}</a></li>{{/problems}}</ul>
            {{#onlyWarnings}}<p><button name="action" value="anyway">Send anyway</button></p>{{/onlyWarnings}}
            </div>{{/hasProblems}}
            <div class="line"><label for="f-recipients">To</label>
            <input id="f-recipients" name="to" value="{{to}}" list="choices" dir="auto" autocomplete="off" spellcheck="false" autocapitalize="none" writingsuggestions="false" translate="no"{{#autofocusTo}} autofocus{{/autofocusTo}}>
            {{#audience}}<span class="audience">{{audience}}</span>{{/audience}}</div>
            {{#waits}}<p class="mark">⚠ <bdi dir="auto">{{personName}}</bdi> has another key than before. What you write to them waits until you <a href="/k/{{personID}}">compare it or decide</a>.</p>
            {{/waits}}<datalist id="choices">{{#choices}}<option value="{{choiceValue}}">{{choiceLabel}}</option>{{/choices}}</datalist>
            <div class="line"><label for="f-subject">Subject</label>
            <input id="f-subject" name="subject" value="{{subject}}" dir="auto" autocomplete="off" spellcheck="{{spellcheck}}" writingsuggestions="false" translate="no"></div>
            <div class="paper band {{draftHue}}">
            <label class="sr" for="f-body">Text</label>
            <textarea id="f-body" name="body" rows="14" dir="auto" autocomplete="off" spellcheck="{{spellcheck}}" writingsuggestions="false" translate="no"{{#autofocusBody}} autofocus{{/autofocusBody}}>
            {{body}}</textarea></div>
            {{#hasFiles}}<ul class="files">{{#files}}<li>{{>clip}} <span class="filename"><bdi dir="auto">{{fileStem}}</bdi><b>{{fileEnding}}</b></span> <small>{{fileSize}}</small> <label><input type="checkbox" name="remove" value="{{fileID}}" autocomplete="off"> remove</label></li>{{/files}}</ul>{{/hasFiles}}
            <div class="line files"><label for="f-attachments">Attach</label> <input type="file" id="f-attachments" name="file" multiple autocomplete="off"></div>
            <div class="actions">
            <button class="primary" name="action" value="send" id="send">Send <kbd>Ctrl Enter</kbd></button>
            <button name="action" value="save">Save</button>
            <span class="grow"></span>
            <button class="quiet danger" name="action" value="discard" formnovalidate>Discard</button>
            </div>
            </form>
            {{>bottom}}
            """#
    ]
}
