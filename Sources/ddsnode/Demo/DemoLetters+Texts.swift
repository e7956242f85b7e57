// The threads themselves.

import DDSCore

extension DemoLetter {
    static let members = ["alice": "Alice Example", "bob": "Bob Miller", "chen": "Chen Wei", "dora": "Dora Levi"]

    static let all: [DemoLetter] = agenda + budget + shed + camp + garden + welcome + scripts + privates

    private static func thread(
        _ name: String, to: String, _ subject: String, _ messages: [(author: String, answers: Int?, text: String)]
    ) -> [DemoLetter] {
        messages.enumerated().map { index, message in
            DemoLetter(
                author: message.author, to: to, subject: index == 0 ? subject : "Re: " + subject, id: "\(name).\(index)",
                answers: message.answers.map { "\(name).\($0)" }, step: index, text: message.text + "\n")
        }
    }

    private static let agenda = thread(
        "agenda", to: "board", "Agenda for Thursday",
        [
            ("alice", nil, "Hello,\n\nthree points so far: the new node, recovery kits, the summer party.\nWhat else?\n\nAlice"),
            ("bob", 0, "> What else?\n\nThe key of the meeting room. I have it.\n\nBob"),
            ("chen", 0, "> three points so far\n\nA fourth: who writes the minutes? I did it the last two times.\n\nChen"),
            ("alice", 1, "> I have it.\n\nThank you! Then we can start at nine.\n\nAlice"),
            ("dora", 2, "> who writes the minutes?\n\nI will.\n\nDora"),
            ("chen", 4, "Thank you, Dora.\n\nChen"),
        ])

    private static let budget: [DemoLetter] = {
        var letters = thread(
            "budget", to: "board", "Budget for next year",
            [
                (
                    "bob", nil,
                    "Dear all,\n\nhere is the first version of the budget. The roof is the big one, the rest is as last year.\nPlease look at rows 4 to 9 before Thursday.\n\n-- \nBob Miller, treasurer"
                ),
                ("dora", 0, "Can you put the travel costs into one row?\nThey are in three places now.\n\nDora"),
                (
                    "bob", 1,
                    "> Can you put the travel costs into one row?\n> They are in three places now.\n\nDone, see row 7. The sum is now 4 180, which leaves a little for the roof.\n\n-- \nBob Miller, treasurer"
                ),
                ("alice", 2, "Looks right to me. One question: is the insurance in row 3 or in row 8?\n\nAlice"),
            ])
        let table = "item;last year;next year\nroof;0;9000\nrent;4200;4300\ntravel;1900;1750\ninsurance;610;640\n"
        letters[0].files = [File("budget-2027.csv", "text/csv", Array(table.utf8))]
        letters[2].files = [File("budget-2027-b.csv", "text/csv", Array((table + "party;300;350\n").utf8))]
        return letters
    }()

    private static let shed = thread(
        "shed", to: "board", "Keys for the shed",
        [
            ("dora", nil, "I left the keys for the shed with Chen, as the lock is being changed on Monday.\n\nDora"),
            ("chen", 0, "I have them. Two copies, both marked in red.\n\nChen"),
        ])

    private static let camp: [DemoLetter] = {
        var letters = thread(
            "camp", to: "family", "Summer camp",
            [
                ("dora", nil, "Who comes to the camp in July? Two tents are missing, and a cook.\n\nDora"),
                ("bob", 0, "We come, four of us. I can lend one tent.\n\nBob"),
                ("alice", 0, "Three of us. I can cook on two evenings, if somebody else buys.\n\nAlice"),
                ("dora", 2, "> if somebody else buys\n\nI do the shopping. What do the children not eat?\n\nDora"),
                ("bob", 3, "Mushrooms.\n\nBob"),
                ("alice", 3, "Anything green, according to the youngest.\n\nAlice"),
                ("dora", 5, "Then there will be pancakes. 🥞\n\nDora"),
            ])
        letters[0].files = [File("lake.png", "image/png", DemoPicture.lake)]
        return letters
    }()

    private static let garden = thread(
        "garden", to: "garden", "Frost on Tuesday",
        [
            ("chen", nil, "The forecast says minus three on Tuesday night. Who can cover the young trees?\n\nChen"),
            ("alice", 0, "I can, after six. Where is the fleece?\n\nAlice"),
            ("chen", 1, "> Where is the fleece?\n\nIn the shed, left, behind the wheelbarrow.\n\nChen"),
            ("alice", 2, "All covered. The gate does not close properly any more, by the way.\n\nAlice"),
        ])

    private static let welcome: [DemoLetter] = {
        var letters = thread(
            "welcome", to: "general", "Welcome, and how this works",
            [
                (
                    "alice", nil,
                    "Hello everybody,\n\nthis is our own node. It opens a message only to seal it for each of us, keeps it until each has fetched it, and then destroys it. There is no archive: what you want to keep is in your own agent.\n\nAsk here when something is unclear.\n\nAlice"
                ),
                ("chen", 0, "Can I read it with my usual mail program?\n\nChen"),
                (
                    "alice", 1,
                    "> Can I read it with my usual mail program?\n\nYes, but it keeps what it fetches in clear on your disk. The page in the browser does not.\n\nAlice"
                ),
                ("bob", 0, "What happens when I lose my laptop?\n\nBob"),
                ("alice", 3, "You need your recovery kit, the page with the words. Is it on paper somewhere?\n\nAlice"),
                ("bob", 4, "It is now.\n\nBob"),
                ("dora", 0, "Nicely done. I like that nobody can search what I wrote ten years ago.\n\nDora"),
            ])
        letters.append(
            DemoLetter(
                author: "dora", to: "general", subject: "The party, with pictures", id: "party.0",
                text: "Dear all,\n\nthe party is on 12 June at six, in the garden.\nBring a chair.\n\nDora\n",
                html: """
                    <h2>The party</h2><p>Dear all,</p><p>the party is on <b>12 June at six</b>, in the
                    <a href="https://garden.example.org/map">garden</a>.</p><ul><li>Bring a chair.</li><li>Bring something to eat.</li></ul>
                    <p><img src="https://pictures.example.com/garden.jpg" alt="the garden" width="200"></p><p>Dora</p>
                    """))
        return letters
    }()

    private static let scripts =
        thread(
            "hebrew", to: "general", "שלום לכולם",
            [
                ("dora", nil, "שלום לכולם,\n\nהפגישה הבאה תתקיים ביום חמישי בשעה 18:00.\nלהתראות,\nדורה"),
                ("alice", 0, "תודה! אני אגיע קצת מאוחר.\n\nאליס"),
            ])
        + thread(
            "arabic", to: "general", "مرحبا بالجميع",
            [("dora", nil, "مرحبا بالجميع،\n\nاللقاء القادم يوم الخميس في الساعة 18:00.\n\nدورا")])
        + thread(
            "chinese", to: "garden", "春天的計劃",
            [("chen", nil, "大家好，\n\n三月我們種蘋果樹和梨樹。誰想幫忙？\n\n陳偉")])
        + thread(
            "czech", to: "general", "Žluťoučký kůň",
            [("bob", nil, "Příliš žluťoučký kůň úpěl ďábelské ódy. Does everybody see all the accents?\n\nBob")])

    private static let privates: [DemoLetter] = {
        var letters = thread(
            "private", to: "bob", "Only for you",
            [("alice", nil, "Hi Bob,\n\nthis one is for you alone: the node keeps no copy once you have it.\n\nAlice")])
        letters += thread(
            "present", to: "alice", "Dora's present",
            [("bob", nil, "Hi Alice,\n\nshall we buy the book about bees together? It is 38.\n\nBob")])
        letters += thread(
            "minutes", to: "alice", "Minutes of the last meeting",
            [("chen", nil, "Dear Alice,\n\nthe minutes are attached. Please correct what I got wrong.\n\nChen")])
        letters[letters.count - 1].files = [
            File("minutes.txt", "text/plain", Array("Minutes\n\n1. The node runs.\n2. Everybody has a recovery kit.\n".utf8))
        ]
        letters.append(
            DemoLetter(
                author: "alice", to: "bob", subject: "Re: Dora's present", id: "present.1", answers: "present.0", step: 1,
                text: "> shall we buy the book about bees together?\n\nYes! I have her address in the other town, too.\n\nAlice\n"))
        return letters
    }()
}

/// Mail from outside that pretends: handed in without a signature, as anybody could. Names the marks that it shows.
enum DemoSpoof {
    /// `From`, subject, text, file name.
    static let all: [(from: String, subject: String, text: String, file: String?)] = [
        (
            "\(EncodedWord.header("Воb Miller")) <bob.miller@example.net>", "Please pay this today",
            "Hi,\n\nI am on the road. Can you pay the attached invoice today?\n\nBob\n", "invoice\u{202e}fdp.exe"
        ),
        (
            "\"bob@node.test\" <someone@example.net>", "My new address",
            "Hello,\n\nthis is my new address. Please write to it from now on.\n\nBob\n", nil
        ),
        (
            "\(EncodedWord.header("Alice\u{202e}elpmaxE")) <list@example.net>", "Invisible\u{200b} things\u{202e} in the subject",
            "This message has characters that nobody sees.\n", nil
        ),
    ]
}
