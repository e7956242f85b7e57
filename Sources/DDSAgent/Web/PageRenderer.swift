// From models to HTML: frame, texts, numbers and marks. Every text of the outside world passes `DisplayText` here and the
// escaping of `Templates` after it.

package import DDSCore
package import DDSHTTP

/// Renders the page's screens. Holds no state of any session.
package struct PageRenderer: Sendable {
    /// What a page knows about the request it answers.
    package struct Context: Sendable {
        package var formToken: String
        /// The address of this page, for the form that comes back to it.
        package var here: String
        package var notice: WebNotice?
        package var now: WallTime
        /// Names for the links of texts; without them texts have none.
        package var links: LinkNames?
        /// The message that is shown formatted.
        package var formatted: String?
        /// `agent.web.html`: whether messages may be.
        package var showsFormatted = true
        /// The defaults while locked.
        package var chosen = PageSettings()

        package init(formToken: String, here: String, notice: WebNotice? = nil, now: WallTime) {
            self.formToken = formToken
            self.here = here
            self.notice = notice
            self.now = now
        }
    }

    /// Titles that pages may have: generic, because the browser writes titles to the disk.
    enum Title: String, CaseIterable {
        case unlock = "Unlock · DDS"
        case inbox = "Inbox · DDS"
        case group = "Group · DDS"
        case thread = "Thread · DDS"
        case write = "Write · DDS"
        case person = "Keys · DDS"
        case search = "Search · DDS"
        case link = "Link · DDS"
        case welcome = "Welcome · DDS"
        case settings = "Settings · DDS"
    }

    let templates = Templates.shared
    package let style: StaticFile
    package let script: StaticFile
    package let icon: StaticFile
    /// A page without the script reloads after so long and then finds the lock.
    let refreshSeconds: Int
    let offset: @Sendable (WallTime) -> Int

    /// `offset` gives the seconds that local time is ahead of UTC at a moment.
    package init(
        hash: @escaping WebHash, refreshSeconds: Int, offset: @escaping @Sendable (WallTime) -> Int
    ) {
        style = StaticFile(name: "style.css", contentType: "text/css; charset=utf-8", text: Style.text, hash: hash)
        script = StaticFile(name: "script.js", contentType: "text/javascript; charset=utf-8", text: Script.text, hash: hash)
        icon = StaticFile(name: "icon.svg", contentType: "image/svg+xml", text: Script.icon, hash: hash)
        self.refreshSeconds = refreshSeconds
        self.offset = offset
    }

    /// The static file at a path.
    package func file(at path: String) -> StaticFile? {
        [style, script, icon].first { $0.path == path }
    }

    /// The unlock page. `failed` tells of attempts since the last success.
    package func unlock(_ context: Context, identity: String?, failed: (count: Int, since: WallTime)?) -> String {
        var values = head(.unlock, refreshes: false)
        values["formToken"] = context.formToken
        values["notice"] = optional(context.notice?.text)
        values["identity"] = optional(identity.map { DisplayText.line($0).text })
        values["failedText"] = optional(failed.map { failedText($0, now: context.now) })
        return templates.render("unlock", values)
    }

    /// `2 failed attempts since Tue 14:02`.
    package func failedText(_ failed: (count: Int, since: WallTime), now: WallTime) -> String {
        "\(failed.count) failed \(failed.count == 1 ? "attempt" : "attempts") since \(time(failed.since, now: now).short)"
    }

    /// A page that stands alone: refusals, the link from another site, mistakes before the unlock.
    package func plain(heading: String, text: String, link: (path: String, text: String)?) -> String {
        var values = head(.welcome, refreshes: false)
        values["pageKind"] = "plain"
        values["heading"] = heading
        values["text"] = text
        values["linkPath"] = optional(link?.path)
        values["linkText"] = link?.text ?? ""
        return templates.render("plain", values)
    }

    /// Something that is not there, inside the frame.
    package func missing(_ context: Context, frame: FrameModel, heading: String, text: String) -> String {
        var values = surroundings(.welcome, kind: "missing", context, frame, current: nil)
        values["heading"] = heading
        values["text"] = text
        return templates.render("missing", values)
    }
}

// What all screens share.
extension PageRenderer {
    func head(_ title: Title, unread: Int = 0, refreshes: Bool, look: PageLook = PageLook()) -> [String: Any] {
        [
            "title": (unread > 0 && look.showsUnreadInTitle ? "(\(unread)) " : "") + title.rawValue,
            "theme": look.theme == .auto ? false : look.theme.rawValue,
            "density": look.density == .normal ? false : look.density.rawValue,
            "keysOff": !look.hasKeys,
            "iconPath": icon.path,
            "stylePath": style.path,
            "scriptPath": script.path,
            "refreshSeconds": refreshes ? "\(refreshSeconds)" : false,
            // Pages that show how something goes on ask anew by themselves.
            "pollSeconds": false,
        ]
    }

    /// Head, bar, sidebar and footer. `current` is the folder to be marked.
    func surroundings(
        _ title: Title, kind: String, _ context: Context, _ frame: FrameModel, current: FolderReference?, refreshes: Bool = true
    ) -> [String: Any] {
        let look = context.chosen.look
        var values = head(title, unread: frame.inboxUnread, refreshes: refreshes, look: look)
        values["pageKind"] = kind
        values["pageClass"] = look.showsUnreadInTitle ? "titlecount" : ""
        values["formToken"] = context.formToken
        values["herePath"] = context.here
        values["isSettings"] = title == .settings
        values["notice"] = optional(context.notice?.text)
        values["undoHandle"] = optional(context.notice?.undo)
        values["searchText"] = ""
        values["searchFocus"] = false
        values["totalUnread"] = "\(frame.inboxUnread)"
        values["state"] = frame.state.isEmpty ? "Ready" : DisplayText.line(frame.state).text
        values["trouble"] = optional(frame.trouble.map { DisplayText.line($0).text })
        values["waitingText"] =
            frame.waitingToBeSent == 0
            ? false : "\(frame.waitingToBeSent) \(frame.waitingToBeSent == 1 ? "message" : "messages") waiting to be sent"
        values["folders"] = [
            folder(.inbox, "Inbox", frame.inboxUnread, "unread", current),
            folder(.privateMail, "Private", frame.privateUnread, "unread", current),
            folder(.starred, "Starred", 0, "", current),
            folder(.drafts, "Drafts", frame.drafts, "drafts", current),
            folder(.sent, "Sent", frame.waitingToBeSent, "waiting", current),
            folder(.archive, "Archive", 0, "", current),
            folder(.trash, "Trash", 0, "", current),
            folder(.all, "All mail", frame.allUnread, "unread", current),
        ]
        values["groups"] = frame.groups.map { group in
            folder(.group(group.id), "#" + DisplayText.line(group.name).text, group.unread, "unread", current)
                .merging(["isMuted": group.isMuted, "hue": hue(group.id)]) { _, new in new }
        }
        return values
    }

    private func folder(
        _ reference: FolderReference, _ label: String, _ count: Int, _ meaning: String, _ current: FolderReference?
    ) -> [String: Any] {
        [
            "path": Route.path(reference), "label": label, "isCurrent": reference == current, "hasCount": count > 0,
            "countText": "\(count)", "countMeaning": meaning,
        ]
    }

    /// The value of an optional section: templates look up names that are missing in what surrounds them, so nothing is left
    /// out.
    func optional(_ text: String?) -> Any {
        guard let text, !text.isEmpty else { return false }
        return text
    }

    func time(_ time: WallTime, now: WallTime) -> DisplayTime {
        DisplayTime(time, now: now, offset: offset)
    }

    func timeValues(_ moment: WallTime, now: WallTime) -> [String: Any] {
        let time = time(moment, now: now)
        return ["timeShort": time.short, "timeFull": time.full, "timeMachine": time.machine]
    }

    /// One of eight colours that a group always has.
    func hue(_ id: String) -> String {
        "hue\(id.utf8.reduce(UInt32(7)) { ($0 &* 31) &+ UInt32($1) } >> 3 & 7)"
    }

    /// How far a message of one's own is: a sign, a class and a sentence.
    func sentValues(_ state: SentState?) -> [String: Any] {
        switch state {
        case nil: ["sentText": false, "sentClass": "", "sentLong": ""]
        case .waiting: ["sentText": "⏱︎ waiting", "sentClass": "waiting", "sentLong": "Waiting to be sent"]
        case .held(let people):
            [
                "sentText": "⏱︎ waits for you", "sentClass": "failed",
                "sentLong": "Waits for your decision: " + DisplayText.line(people).text + " has another key than before",
            ]
        case .atNode: ["sentText": "✓ at the node", "sentClass": "", "sentLong": "The node has it"]
        case .fetched(let by, let count, let words):
            [
                "sentText": "✓✓ \(by) of \(count)", "sentClass": "",
                "sentLong": words.isEmpty
                    ? "Fetched by \(by) of \(count) \(count == 1 ? "recipient" : "recipients")" : DisplayText.line(words).text,
            ]
        case .failed(let reason):
            ["sentText": "not sent", "sentClass": "failed", "sentLong": "Not sent. " + DisplayText.line(reason).text]
        }
    }

    static func size(_ bytes: Int) -> String {
        if bytes < 1000 { return "\(bytes) bytes" }
        if bytes < 1_000_000 { return "\((bytes + 500) / 1000) kB" }
        let tenths = (bytes + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10) MB"
    }
}
