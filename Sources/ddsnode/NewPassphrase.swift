// A passphrase that somebody makes up, or that is made for them. Whether it is good enough is judged where it is used; here it is
// said in time.

import DDSCore
import DDSLoop
import DDSSeal

extension Context {
    /// The passphrase in `file`, or one that is asked for twice; Enter alone has six words made, to be typed once. Refused below
    /// a million guesses, with a warning below ten thousand million.
    func newPassphrase(file: String?, option: String, question: String = "Passphrase") throws(Failure) -> SecretBytes {
        if let file { return try judged(try Terminal.secret(file: file, option: option)) }
        guard terminal.canAsk else {
            throw Failure(.usage, "nobody is here to ask for the secret; use \(option) FILE, or \(option) - for standard input")
        }
        Output.write(
            "Invent a passphrase for your private key. Nobody can reset it. Enter alone has six words made for you.\n\(question): ",
            to: 2)
        var first = try terminal.readLine(isSecret: true)
        guard !first.isEmpty else { return try suggested() }
        let secret = try judged(SecretBytes(consuming: &first))
        return try repeated(secret, "Again: ")
    }

    private func suggested() throws(Failure) -> SecretBytes {
        var words = Array(WordPhrase.make(words: 6, SystemRandom()).utf8)
        Output.write(Array("\n    ".utf8) + words + Array("\n\nWrite it down now; it is not shown again.\n".utf8), to: 2)
        return try repeated(SecretBytes(consuming: &words), "Type it: ")
    }

    private func repeated(_ secret: SecretBytes, _ question: String) throws(Failure) -> SecretBytes {
        Output.write(question, to: 2)
        var second = try terminal.readLine(isSecret: true)
        guard secret == SecretBytes(consuming: &second) else {
            throw Failure(.badInput, "the two are different; nothing was changed, try again")
        }
        return secret
    }

    private func judged(_ secret: SecretBytes) throws(Failure) -> SecretBytes {
        try PassphraseStrength.require(secret)
        if let warning = PassphraseStrength(secret).warning { output.complain("warning: \(warning)") }
        return secret
    }
}
