// The screen about a person's key.

import DDSCore

extension PageRenderer {
    /// What is known of a person's key, and what can be said about it.
    package func person(_ context: Context, frame: FrameModel, _ model: PersonModel) -> String {
        // No reload under what somebody types.
        var values = surroundings(.person, kind: "person", context, frame, current: nil, refreshes: false)
        values["personID"] = model.id
        values["address"] = DisplayText.line(model.address).text
        let standing = DisplayText.line(model.standing).text
        values["standing"] = standing.prefix(1).uppercased() + standing.dropFirst() + "."
        values["isAlarming"] = model.awaitsDecision
        values.merge(timeValues(model.since, now: context.now)) { _, new in new }
        values["sinceText"] = "Known since \(time(model.since, now: context.now).short)."
        values["currentHex"] = model.fingerprint.hex
        values["current"] = [fingerprint(model.fingerprint)]
        values["former"] = model.former.reversed().map(fingerprint)
        values["own"] = [fingerprint(model.own)]
        values["isCompared"] = model.isCompared
        values["awaitsDecision"] = model.awaitsDecision
        values["hasWaiting"] = model.waiting > 0
        values["waitingWords"] =
            switch model.waiting {
            case 0: "What you write to them alone will wait."
            case 1: "1 message to them waits."
            default: "\(model.waiting) messages to them wait."
            }
        return templates.render("person", values)
    }

    func fingerprint(_ model: FingerprintModel) -> [String: Any] {
        [
            "words": model.words, "hex": model.hex, "picture": optional(model.picture), "pictureSize": "\(model.pictureSize)",
        ]
    }
}
