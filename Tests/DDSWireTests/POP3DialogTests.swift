import DDSCore
import DDSTestKit
import DDSWire
import Testing

@Suite struct POP3DialogTests {
    static let values = [
        "user": "bob", "password": "secret word", "plain": "AGJvYgBzZWNyZXQgd29yZA==", "external": "Ym9i",
    ]

    @Test func dialogs_runAsWritten() throws {
        let dialogs = try Dialog.all(prefix: "pop3", values: Self.values)
        #expect(dialogs.count >= 12)
        for dialog in dialogs {
            let isImplicit = dialog.listener == "pop3s"
            let model = POP3ServerModel()
            let complaint = dialog.run(
                model.harness(tls: isImplicit ? .implicit : .stlsRequired), peer: POP3ServerModel.peer, isImplicit: isImplicit)
            #expect(complaint == nil)
            #expect(!model.isLocked, "\(dialog.name) leaves the maildrop locked")
        }
    }

    @Test func malformedDialogs_areRefusedWithTheirLine() {
        for (text, words) in [
            ("C: hello\n", "no @listener"), ("@listener x\nZ: what\n", "t:2: unknown step"),
            ("@listener x\nC: $nobody\n", "no value"), ("@listener x\n@advance 5\n", "seconds"),
            ("@listener x\nC#3 NOOP\n", "holds the text"), ("@listener x\nC! \\q\n", "escape"),
        ] {
            #expect {
                try Dialog(name: "t", text: text)
            } throws: {
                "\($0)".contains(words)
            }
        }
    }

    @Test func dialogRunner_seesADifference() throws {
        let dialog = try Dialog(name: "t", text: "@listener pop3s\nS~ +OK\nC: NOOP\nS: +OK\n")
        let complaint = dialog.run(POP3ServerModel().harness(), peer: POP3ServerModel.peer, isImplicit: true)
        #expect(complaint == "t:4: expected +OK, got -ERR Log in first")
    }
}
