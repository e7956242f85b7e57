// A message's formatted version, files, source, and the page in front of a link.

extension Templates {
    static let contentTexts = [
        // No line ends: what is around keeps its blanks.
        "runs": #"{{#runs}}{{#linkPath}}<a href="{{linkPath}}" target="_blank" rel="noopener noreferrer">{{runText}}</a>{{#linkHost}} <small>({{linkHost}})</small>{{/linkHost}}{{/linkPath}}{{^linkPath}}{{runText}}{{/linkPath}}{{/runs}}"#,

        "html": #"""
            {{#hasFormatted}}<p class="mark info">This message has HTML.{{#textPath}} <a href="{{textPath}}" aria-current="false">Show text</a>{{/textPath}}{{#formattedPath}} <a href="{{formattedPath}}">Show formatted</a>{{/formattedPath}}{{#isUnshown}} It is too large or too contrived to be shown formatted.{{/isUnshown}}{{#remoteText}}<br>{{remoteText}} <bdi>({{remoteHosts}})</bdi>{{/remoteText}}</p>
            {{#framePath}}<iframe class="formatted" sandbox="allow-popups allow-popups-to-escape-sandbox" src="{{framePath}}" title="Formatted message" referrerpolicy="no-referrer"></iframe>
            {{/framePath}}{{/hasFormatted}}
            """#,

        "files": #"""
            {{#hasFiles}}<ul class="files">{{#files}}<li>{{>clip}} <span class="filename"><bdi dir="auto">{{fileStem}}</bdi><b>{{fileEnding}}</b></span> <small>{{#fileKind}}{{fileKind}} · {{/fileKind}}{{fileSize}}</small>{{#fileIsShown}} <a href="/v/{{fileID}}" target="_blank" rel="noopener">View</a>{{/fileIsShown}} <a href="/a/{{fileID}}" download>Save to disk (decrypted)</a>{{#fileNote}} <span class="warn">⚠ {{fileNote}}</span>{{/fileNote}}{{#fileIsPicture}}<a class="picture" href="/v/{{fileID}}" target="_blank" rel="noopener"><img src="/v/{{fileID}}" alt="" loading="lazy"></a>{{/fileIsPicture}}</li>{{/files}}</ul>{{/hasFiles}}
            """#,

        "frame": #"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <title>Message · DDS</title>
            <style>html{background:#fff;color:#1c2026;font:15px/1.5 system-ui,sans-serif;color-scheme:light}body{margin:12px;overflow-wrap:anywhere}img{max-width:100%;height:auto}table{max-width:100%}pre{white-space:pre-wrap}a{color:#2f5bd0}blockquote{margin:8px 0 8px 4px;padding-left:12px;border-left:2px solid #ccc}</style>
            </head>
            <body>

            """#,

        "source": #"""
            {{>head}}
            {{>top}}
            <div class="tools"><a class="back" href="{{backPath}}" data-back>‹ <span>Message</span></a></div>
            <h1>{{heading}}</h1>
            <p class="hint">{{text}}</p>
            <pre class="text source" dir="ltr">{{sourceText}}</pre>
            {{>bottom}}
            """#,

        "textFile": #"""
            {{>head}}
            {{>top}}
            <h1><bdi dir="auto">{{fileStem}}</bdi>{{fileEnding}}</h1>
            <p class="hint">{{text}} <a href="/a/{{fileID}}" download>Save to disk (decrypted)</a></p>
            <pre class="text source" dir="auto">{{sourceText}}</pre>
            {{>bottom}}
            """#,

        "link": #"""
            {{>head}}
            <body class="alone" data-page="link">
            <main class="card" id="main">
            <p class="brand"><span class="gem" aria-hidden="true">◆</span> DDS</p>
            <h1>{{heading}}</h1>
            <p class="big"><strong id="host">{{linkHost}}</strong>{{#linkShown}}<br><bdi>{{linkShown}}</bdi>{{/linkShown}}</p>
            <p class="hint"><bdi dir="ltr" id="address">{{linkText}}</bdi></p>
            {{#linkNote}}<p class="mark">⚠ {{linkNote}}</p>{{/linkNote}}
            {{#linkPath}}<p><a class="button primary" href="{{linkPath}}" rel="noopener noreferrer">Open {{linkHost}}</a></p>
            <p class="hint">The site will learn that you came, and what the address says about you. It is not told where from. To stay, close this tab.</p>{{/linkPath}}
            </main>
            </body>
            </html>

            """#,
    ]
}
