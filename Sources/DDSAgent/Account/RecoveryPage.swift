// The recovery kit as it is printed: one page of HTML that needs nothing else, or text. Both hold the code, so that the file itself
// restores as well as what is typed from the paper.

import DDSCore
import DDSNode
import DDSSeal

struct RecoveryPage {
    let kit: RecoveryKit
    let date: WallTime

    private static let groupsPerLine = 8

    // MARK: Words

    private var title: String { "Recovery kit of \(kit.address)" }

    private var day: String { String(CivilTime(secondsSinceEpoch: date.seconds).rfc3339.prefix(10)) }

    private var sections: [(head: String, paragraphs: [String])] {
        [
            (
                "What it is for",
                [
                    "When the computer with your mail is lost, the code below is what it takes to bring back who you are and your account at "
                        + "\(kit.address.domain) on a new one.",
                    "It does not bring back mail. What was stored on the lost computer comes back with a backup of its state folder and your "
                        + "passphrase only. What was on its way to you when the computer was lost is gone: it was sealed to a key that only the "
                        + "lost computer had, and nobody can open it, the node's keepers neither.",
                ]
            ),
            (
                "In the hands of a thief",
                [
                    "Whoever has this page can become you at the node: write in your name, and get the mail that comes from then on. It opens no "
                        + "mail that you have already, and no passphrase protects it. Keep it where you keep your passport, and delete the file "
                        + "once it is printed and rehearsed.",
                    "If it is lost, ask the node's keepers for a new invite (ddsnode invite new): with it you join anew under a new identity, and this "
                        + "page is worthless.",
                ]
            ),
            (
                "Before you need it",
                [
                    "ddsnode key rehearse FILE reads this file, or a file with what you typed from the paper, and proves that it would do.",
                    "When you need it: install ddsnode on the new computer and run ddsnode key restore FILE there, or without FILE to type the "
                        + "code. It asks for a new passphrase, and the lost computer is let in no more.",
                ]
            ),
        ]
    }

    /// The code in groups of four characters, behind its mark, which stays in one piece.
    private static func groups(_ code: [UInt8]) -> [String] {
        let begin = (code.lastIndex(of: 0x2d) ?? 0) + 2
        return [String(decoding: code[..<begin], as: UTF8.self)]
            + stride(from: begin, to: code.count, by: 4).map {
                String(decoding: code[$0..<min($0 + 4, code.count)], as: UTF8.self)
            }
    }

    private func lines(_ code: [UInt8]) -> [String] {
        let groups = Self.groups(code)
        return stride(from: 0, to: groups.count, by: Self.groupsPerLine).map {
            groups[$0..<min($0 + Self.groupsPerLine, groups.count)].joined(separator: " ")
        }
    }

    // MARK: Forms

    /// For a page that shows it.
    static func model(of kit: RecoveryKit) -> RecoveryKitModel {
        let page = RecoveryPage(kit: kit, date: WallTime(milliseconds: 0))
        return kit.code.withExposed { code in
            let picture = QRCode(code)
            return RecoveryKitModel(
                title: page.title,
                sections: page.sections.map { RecoveryKitModel.Section(head: $0.head, paragraphs: $0.paragraphs) },
                groups: groups(code), picture: picture?.drawing ?? "", pictureSize: picture?.drawingSize ?? 0)
        }
    }

    /// Plain text in lines of at most 80 columns.
    var text: [UInt8] {
        kit.code.withExposed { code in
            var output = "\(title)\nMade on \(day)\n\n"
            for section in sections {
                output += section.head + "\n\n"
                for paragraph in section.paragraphs { output += Self.folded(paragraph) + "\n\n" }
            }
            output += "The code\n\n" + lines(code).map { "    \($0)\n" }.joined() + "\n-- end of the code --\n"
            return Array(output.utf8)
        }
    }

    /// One page without script and without anything from elsewhere.
    var html: [UInt8] {
        kit.code.withExposed { code in
            var output = """
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
                <meta name="referrer" content="no-referrer">
                <title>\(Self.escaped(title))</title>
                <style>
                body { font: 12pt/1.4 serif; max-width: 40em; margin: 2em auto; color: #000; background: #fff; }
                h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin: 1em 0 .2em; } p { margin: .3em 0; }
                pre { font: 12pt/1.6 monospace; } svg { width: 6cm; height: 6cm; }
                @page { margin: 2cm; }
                </style>
                </head>
                <body>
                <h1>\(Self.escaped(title))</h1>
                <p>Made on \(day)</p>

                """
            for section in sections {
                output += "<h2>\(Self.escaped(section.head))</h2>\n"
                for paragraph in section.paragraphs { output += "<p>\(Self.escaped(paragraph))</p>\n" }
            }
            output += "<h2>The code</h2>\n<pre>\(lines(code).joined(separator: "\n"))</pre>\n"
            if let picture = QRCode(code) { output += Self.picture(picture) }
            return Array((output + "</body>\n</html>\n").utf8)
        }
    }

    private static func picture(_ code: QRCode) -> String {
        let (size, path) = (code.drawingSize, code.drawing)
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(size) \(size)" shape-rendering="crispEdges" role="img" aria-label="The code">
            <rect width="\(size)" height="\(size)" fill="#fff"/>
            <path d="\(path)" fill="#000"/>
            </svg>

            """
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { output, character in
            switch character {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&quot;"
            default: output.append(character)
            }
        }
    }

    private static func folded(_ text: String) -> String {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + word.count + 1 > 78 {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return (lines + [line]).joined(separator: "\n")
    }
}
