import DDSAgent
import DDSCore
import DDSHTTP
import DDSSearch
import Foundation
import Testing

/// Pages as a whole: rules that hold on every screen, with tame and with hostile texts.
@Suite struct PageTests {
    static let now = WallTime(milliseconds: 1_795_450_000_000)
    static let context = PageRenderer.Context(formToken: "f00d", here: "/", notice: nil, now: now)
    let pages = PageRenderer(hash: testHash, refreshSeconds: 905, offset: { _ in 3600 })

    /// Texts that break out of where they are put when escaped wrongly; the last three pass swift-mustache's own escaping.
    static let hostile = [
        "<script>x</script>", "\" autofocus onfocus=\"x", "' onload='x", "</textarea><img src=x onerror=x>", "<!--",
        "&lt;b&gt;",
        "{{formToken}}", "\u{0600}<img src=x onerror=x>", "\"\u{0301} onfocus=\"x",
        "\u{110BD}<svg onload=x>\u{0600}\u{0600}<b>",
    ]

    static func model(_ text: String) -> (FrameModel, ThreadListModel, ThreadModel, DraftModel, [RecipientChoice]) {
        let group = GroupModel(id: "g1", name: text, unread: 1)
        let frame = FrameModel(
            groups: [group], inboxUnread: 2, allUnread: 2, privateUnread: 0, drafts: 0, waitingToBeSent: 0, state: text,
            trouble: text)
        let row = ThreadRowModel(
            id: "t1", senders: [text, text], messageCount: 2, subject: text, snippet: text, group: text, time: now,
            isUnread: true,
            hasAttachment: true, sent: .failed(text))
        let message = MessageModel(
            id: "m1", senderName: text, senderAddress: text, recipients: [text], messageID: text, time: now,
            body: "\(text)\n> \(text)\n-- \n\(text)", marks: [.looksLike(text), .nameIsAddress, .hiddenCharacters],
            attachments: [AttachmentModel(id: "a1", name: text + ".x", size: 1)], sent: .failed(text),
            people: [PersonLink(id: "k1", name: text), PersonLink(id: "k2", name: text, isUrgent: true)])
        var second = message
        second.id = "m2"
        second.isUnread = true
        let draft = DraftModel(
            id: "d1", fields: DraftFields(recipients: text, subject: text, body: text),
            attachments: [AttachmentModel(id: "a1", name: text, size: 1)],
            problems: [DraftProblem(field: .body, text: text, isWarning: true)], audience: text, thread: "t1", savedAt: now)
        return (
            frame, ThreadListModel(name: text, rows: [row], newer: "c1", older: "c2", total: 9),
            ThreadModel(id: "t1", subject: text, group: group, readers: [text, text, text], messages: [message, second]), draft,
            [RecipientChoice(value: text, label: text)]
        )
    }

    static func search(_ text: String, _ row: ThreadRowModel) -> SearchModel {
        var model = SearchModel(text: text)
        let pieces = [SearchSnippet.Piece(text), SearchSnippet.Piece(text, isMatch: true)]
        model.rows = [
            SearchRowModel(row: row, message: "m1", cursor: "12", matches: 3, subject: pieces, snippet: pieces),
            SearchRowModel(row: row, message: "m2"),
        ]
        (model.total, model.isExact, model.shown, model.milliseconds, model.threads) = (12_300, false, 1000, 14, 2)
        model.indexing = SearchProgress(done: 12_300, count: 100_000)
        (model.newer, model.older) = ("0", "50")
        model.choices = [SearchChoice(adds: text, label: text, count: 3)]
        return model
    }

    static func person(_ text: String, isCompared: Bool = false, awaitsDecision: Bool = false) -> PersonModel {
        func print(_ digit: Character) -> FingerprintModel {
            FingerprintModel(
                words: "babab-\(digit)", hex: String(repeating: digit, count: 32), picture: "M4,4h1v1h-1z", pictureSize: 29)
        }
        return PersonModel(
            id: "k1", address: text, standing: text, since: now, fingerprint: print("3"), former: [print("1"), print("2")],
            own: print("4"), isCompared: isCompared, awaitsDecision: awaitsDecision, waiting: awaitsDecision ? 2 : 0)
    }

    /// What can be said depends on what was said; each form names the key that is shown.
    @Test func aPersonsPage_offersWhatFits() {
        for (isCompared, awaitsDecision, actions) in [
            (false, false, ["typed", "compared"]), (true, false, ["uncompared"]),
            (false, true, ["accepted", "discarded", "typed", "compared"]),
        ] {
            let html = pages.person(
                Self.context, frame: Self.model("x").0, Self.person("x", isCompared: isCompared, awaitsDecision: awaitsDecision)
            )
            let tags = scan(html)
            let found = tags.filter { $0.name == "button" && $0.attributes["name"] == "action" }.compactMap {
                $0.attributes["value"]
            }
            #expect(found == actions)
            let shown = tags.filter { $0.attributes["name"] == "fingerprint" }.compactMap { $0.attributes["value"] }
            #expect(!shown.isEmpty && Set(shown) == [String(repeating: "3", count: 32)])
            #expect(html.contains("2 messages to them wait.") == awaitsDecision)
            #expect(html.components(separatedBy: "<svg class=\"code\"").count == 5)
        }
    }

    @Test(arguments: [nil, "What the node could see."]) func whatTheNodeCouldSee_isAmongTheDetails(words: String?) {
        let (frame, _, model, _, _) = Self.model("x")
        var thread = model
        thread.messages = [thread.messages[0]]
        thread.messages[0].nodeWords = words
        let page = pages.thread(Self.context, frame: frame, thread)
        #expect(page.contains("<dt>Node</dt>") == (words != nil))
        if let words { #expect(page.contains("<dt>Node</dt><dd>\(words)</dd>")) }
    }

    func allPages(_ text: String) -> [String] {
        let (frame, list, thread, draft, choices) = Self.model(text)
        var context = Self.context
        context.notice = WebNotice(text)
        var all = [
            pages.unlock(context, identity: text, failed: (count: 2, since: Self.now)),
            pages.plain(heading: text, text: text, link: ("/", text)),
            pages.missing(context, frame: frame, heading: text, text: text),
            pages.list(context, frame: frame, folder: .inbox, list),
            pages.list(context, frame: frame, folder: .group("g1"), list),
            pages.list(context, frame: frame, folder: .drafts, ThreadListModel(rows: [], total: 0)),
            pages.thread(context, frame: frame, thread),
            pages.write(context, frame: frame, draft, choices: choices, isNew: false),
            pages.person(context, frame: frame, Self.person(text, awaitsDecision: true)),
            pages.person(context, frame: frame, Self.person(text, isCompared: true)),
            pages.source(context, frame: frame, message: "m1", SourceModel(text: text, size: 1, isCut: true)),
            pages.textFile(
                context, frame: frame, id: "a1", name: text + ".txt", SourceModel(text: text, size: 1, isCut: false)),
            pages.search(context, frame: frame, handle: nil, nil), pages.searchGone(context, frame: frame),
            pages.search(context, frame: frame, handle: "h1", Self.search(text, list.rows[0])),
            pages.search(context, frame: frame, handle: "h1", SearchModel(text: text, problem: text)),
            pages.write(context, frame: frame, DraftModel(id: "d2", fields: DraftFields()), choices: [], isNew: true),
        ]
        context.chosen.look.showsUnreadInTitle = true
        for model in SettingsModel.samples(text) {
            let browsers = [true, false].map { BrowserModel(name: "b1", begun: Self.now, lastUsed: Self.now, isThis: $0) }
            all.append(pages.settings(context, frame: frame, model, browsers: browsers))
        }
        all.append(pages.kitPrint(context, FakeSettings.kit(text), back: "/settings/keys", file: "/settings/kit/a1/file"))
        for screen in WelcomeScreen.samples(text) {
            for problem in [text, nil] { all.append(pages.welcome(context, screen, problem: problem)) }
            guard case .kit(let kit) = screen else { continue }
            all.append(pages.kitPrint(context, kit, back: "/welcome"))
        }
        return all
    }

    func shape(_ html: String) -> [String] {
        scan(html).map { tag in tag.name + " " + tag.attributes.keys.sorted().joined(separator: ",") }
    }

    /// C4.
    @Test func everyFormAndField_hasAutocompleteOff() {
        for html in allPages("x") {
            for tag in scan(html) where ["form", "input", "textarea", "select"].contains(tag.name) {
                #expect(tag.attributes["autocomplete"] == "off", "\(tag)")
            }
        }
    }

    @Test func noPage_hasInlineScriptOrStyle() {
        for html in allPages("x") {
            for tag in scan(html) {
                #expect(tag.name != "style")
                #expect(tag.name != "script" || tag.attributes["src"]?.hasPrefix("/static/") == true)
                #expect(!tag.attributes.keys.contains { $0 == "style" || $0.hasPrefix("on") }, "\(tag)")
                for name in ["href", "src", "action"] {
                    guard let value = tag.attributes[name] else { continue }
                    #expect(value.hasPrefix("/") || value.hasPrefix("#"), "\(value)")
                }
            }
        }
    }

    /// H2 as a unit test: hostile text changes no tag and no attribute of any page.
    @Test(arguments: PageTests.hostile)
    func hostileText_changesNoTag(text: String) {
        for (tame, wild) in zip(allPages("x"), allPages(text)) { #expect(shape(tame) == shape(wild)) }
    }

    /// C6.
    @Test func titles_comeFromTheList() {
        let allowed = ["Unlock", "Inbox", "Group", "Thread", "Write", "Search", "Settings", "Welcome", "Keys"].flatMap {
            ["<title>\($0) · DDS</title>", "<title>(2) \($0) · DDS</title>"]
        }
        for html in allPages("secret") { #expect(allowed.contains { html.contains($0) }) }
    }

    /// C7.
    @Test func noAddress_holdsAWordOfMail() {
        for html in allPages("secret") {
            for tag in scan(html) {
                for (name, value) in tag.attributes where ["href", "src", "action"].contains(name) {
                    #expect(!value.contains("secret"))
                }
                if tag.name == "input", tag.attributes["name"] == "back" {
                    #expect(Route.isPage(tag.attributes["value"] ?? ""))
                }
            }
        }
    }

    @Test func everyPost_carriesTheFormToken() {
        for html in allPages("x") {
            let forms = scan(html).count { $0.name == "form" && $0.attributes["method"] == "post" }
            let tokens = scan(html).count {
                $0.name == "input" && $0.attributes["name"] == "token" && $0.attributes["value"] == "f00d"
            }
            #expect(forms == tokens)
        }
    }

    @Test func pages_haveOneHeadingAndLandmarks() {
        for html in allPages("x") {
            let tags = scan(html)
            #expect(tags.count { $0.name == "h1" } == 1)
            #expect(tags.count { $0.name == "main" } == 1)
            #expect(tags.first { $0.name == "html" }?.attributes["lang"] == "en")
            for tag in tags where tag.name == "input" && !["hidden", "checkbox"].contains(tag.attributes["type"] ?? "") {
                let id = tag.attributes["id"] ?? ""
                #expect(tags.contains { $0.name == "label" && $0.attributes["for"] == id }, "\(tag)")
            }
        }
    }

    @Test func draftText_comesBackUnchanged() throws {
        let body = "\n  first & <second>\n\nlast \u{202e}x"
        let draft = DraftModel(id: "d1", fields: DraftFields(body: body))
        let html = pages.write(Self.context, frame: Self.model("x").0, draft, choices: [], isNew: false)
        let area = try #require(html.range(of: "<textarea")).upperBound
        let open = try #require(html[area...].range(of: ">\n")).upperBound
        let end = try #require(html[area...].range(of: "</textarea>")).lowerBound
        #expect(html[open..<end] == "\n  first &amp; &lt;second&gt;\n\nlast \u{202e}x")
    }

    @Test func threadPage_opensAtTheFirstUnread() {
        let html = pages.thread(Self.context, frame: Self.model("x").0, Self.model("x").2)
        let messages = scan(html).filter { $0.attributes["id"]?.hasPrefix("m-") == true }
        #expect(messages.map { $0.attributes["open"] != nil } == [false, true])
        #expect(html.contains("new since you were here"))
        #expect(html.contains("1 quoted line<"))
    }

    @Test func sentStates_areShownInWords() {
        var (frame, list, _, _, _) = Self.model("x")
        for (state, words) in [
            (SentState.waiting, "waiting"), (.held(for: "bob"), "waits for you"), (.atNode, "✓ at the node"),
            (.fetched(by: 5, of: 7), "✓✓ 5 of 7"),
            (.fetched(by: 1, of: 2, words: "Bob has it · Carol: waiting"), "✓✓ 1 of 2"),
        ] {
            list.rows[0].sent = state
            #expect(pages.list(Self.context, frame: frame, folder: .sent, list).contains(words))
        }
        frame.waitingToBeSent = 2
        #expect(pages.list(Self.context, frame: frame, folder: .sent, list).contains("2 messages waiting to be sent"))
    }

    /// The budget of the specification.
    @Test func styleAndScript_areSmall() {
        #expect(pages.style.bytes.count <= 16384)
        #expect(pages.script.bytes.count <= 10240)
        let script = String(decoding: pages.script.bytes, as: UTF8.self)
        for word in [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "indexedDB",
            "serviceWorker",
        ] {
            #expect(!script.contains(word))
        }
        #expect(!String(decoding: pages.style.bytes, as: UTF8.self).contains("url("))
    }
}

/// A search as a page.
@Suite struct SearchPageTests {
    private let pages = PageRenderer(hash: testHash, refreshSeconds: 905, offset: { _ in 0 })
    private let frame = PageTests.model("x").0

    @Test func numbersTimesAndProgress_areSaid() {
        let row = PageTests.model("x").1.rows[0]
        let html = pages.search(PageTests.context, frame: frame, handle: "h1", PageTests.search("words", row))
        for words in [
            "at least 12,300 in 14 ms", "Still indexing: 12,300 of 100,000.", "1–2 of 2 threads with the newest 1,000 messages", "3 matches",
            "<title>Search · DDS</title>", "href=\"/t/t1?c=12#m-m1\"", "href=\"/s/h1?c=50\"", "value=\"words\"",
        ] {
            #expect(html.contains(words), "\(words)")
        }
        let examples = scan(html).filter { $0.name == "button" && $0.attributes["name"] == "q" }
        #expect(examples.count == 6)
        for example in examples { #expect(SearchQuery(example.attributes["value"] ?? "").problem == nil) }
    }

    /// G5.
    @Test func whatIsMarked_isTextLikeAnyOther() {
        var model = PageTests.search("x", PageTests.model("x").1.rows[0])
        model.rows[0].snippet = [.init("<b>a</b> "), .init("<script>", isMatch: true), .init("\u{202e}\"&")]
        let html = pages.search(PageTests.context, frame: frame, handle: "h1", model)
        #expect(html.contains("&lt;b&gt;a&lt;/b&gt; <mark>&lt;script&gt;</mark>&quot;&amp;"))
    }

    @Test func withoutResults_theFieldHasTheFocus() {
        for model in [nil, SearchModel(text: "x", problem: "Behind is: stands unread."), SearchModel(text: "x")] {
            let html = pages.search(PageTests.context, frame: frame, handle: nil, model)
            let field = scan(html).first { $0.attributes["id"] == "q" }
            #expect(field?.attributes["autofocus"] != nil && field?.attributes["value"] == model?.text ?? "")
            #expect(html.contains("Nothing found") == (model != nil && model?.problem == nil))
        }
    }
}
