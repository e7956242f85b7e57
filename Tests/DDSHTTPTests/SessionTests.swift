import DDSCore
import DDSHTTP
import DDSTestKit
import Testing

@Suite struct SessionTests {
    let start = Instant(nanoseconds: 1)

    func sessions() -> WebSessions { WebSessions(random: SeededRandom(seed: 3), hash: testHash) }

    @Test func tokens_are256BitsAndNotKept() {
        var sessions = sessions()
        let token = sessions.begin(.signedIn, now: start)
        #expect(token.utf8.count == 64)
        let second = sessions.begin(.signedIn, now: start)
        #expect(second != token)
        var shown = ""
        dump(sessions, to: &shown)
        #expect(!shown.contains(token))
    }

    @Test func session_diesAfterTwelveHours() {
        var sessions = sessions()
        let token = sessions.begin(.signedIn, now: start)
        #expect(sessions.find(token, now: start + .seconds(12 * 3600 - 1))?.level == .signedIn)
        #expect(sessions.find(token, now: start + .seconds(12 * 3600)) == nil)
    }

    @Test func lock_endsSessionsAndOpenTokens() {
        var sessions = sessions()
        let token = sessions.begin(.signedIn, now: start)
        let visitor = sessions.begin(.visitor, now: start)
        let open = sessions.makeOpenToken(now: start)
        sessions.lock()
        #expect(sessions.find(token, now: start) == nil)
        #expect(sessions.find(visitor, now: start) != nil)
        let isOpen = sessions.redeem(openToken: open, now: start) != nil
        #expect(!isOpen)
    }

    /// B12.
    @Test func openToken_worksOnceWithinAMinute() {
        var sessions = sessions()
        let token = sessions.makeOpenToken(now: start)
        let late = sessions.makeOpenToken(now: start)
        var results: [Bool] = []
        for (token, seconds) in [(token, 59), (token, 59), (late, 60), (late, 0), ("", 0)] {
            results.append(sessions.redeem(openToken: token, now: start + .seconds(seconds)) != nil)
        }
        #expect(results == [true, false, false, false, false])
    }

    @Test func whoIsSignedIn_isListedByNamesThatSignNobodyIn() throws {
        var sessions = sessions()
        let first = sessions.begin(.signedIn, now: start)
        _ = sessions.begin(.visitor, now: start)
        let second = sessions.begin(.signedIn, now: start + .seconds(5))
        let id = try #require(sessions.find(first, now: start)?.id)
        sessions.noteUse(of: id, now: start + .seconds(60))
        let live = sessions.live(now: start + .seconds(61))
        #expect(live.map(\.lastUsed) == [start + .seconds(60), start + .seconds(5)])
        #expect(live.map(\.begun) == [start, start + .seconds(5)])
        #expect(Set(live.map(\.name)).count == 2)
        for session in live {
            #expect(!first.contains(session.name) && !second.contains(session.name))
            #expect(sessions.find(session.name, now: start) == nil)
        }
        sessions.end(id)
        #expect(sessions.find(first, now: start) == nil)
        #expect(sessions.live(now: start).count == 1)
        #expect(sessions.live(now: start + .seconds(12 * 3600 + 5)).isEmpty)
    }

    @Test func strangersPages_signNobodyOut() {
        var sessions = sessions()
        let token = sessions.begin(.signedIn, now: start)
        for second in 1...200 { _ = sessions.begin(.visitor, now: start + .seconds(second)) }
        #expect(sessions.count == WebSessions.sessionsMax)
        #expect(sessions.find(token, now: start + .seconds(200)) != nil)
    }

    @Test func noticeAndWish_areGivenOnce() throws {
        var sessions = sessions()
        let token = sessions.begin(.visitor, now: start)
        let id = try #require(sessions.find(token, now: start)?.id)
        sessions.leave(WebNotice("hello", undo: "u1"), for: id)
        sessions.remember(wanted: "/t/abc", for: id)
        let notices = [sessions.takeNotice(id), sessions.takeNotice(id)]
        let wishes = [sessions.takeWanted(id), sessions.takeWanted(id)]
        #expect(notices == [WebNotice("hello", undo: "u1"), nil] && wishes == ["/t/abc", nil])
    }

    @Test func constantTimeComparison_comparesEveryByte() {
        let bytes = [UInt8](0..<32)
        #expect(ConstantTime.equal(bytes, bytes))
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(!ConstantTime.equal(bytes, other))
        }
        #expect(!ConstantTime.equal(bytes, Array(bytes.dropLast())))
    }
}

@Suite struct UnlockLimiterTests {
    /// A mutating call is no operand of the macro.
    func expect(
        _ decision: UnlockLimiter.Decision, _ wanted: UnlockLimiter.Decision, _ place: SourceLocation = #_sourceLocation
    ) {
        #expect(decision == wanted, sourceLocation: place)
    }

    @Test func oneAttempt_atATime() {
        var limiter = UnlockLimiter()
        let now = Instant(nanoseconds: 0)
        expect(limiter.begin(now: now), .go)
        expect(limiter.begin(now: now), .wait(seconds: 2))
        limiter.finish(opened: false, now: now, wall: WallTime(milliseconds: 0))
        expect(limiter.begin(now: now), .go)
    }

    @Test func failures_delayFromTheFifthOnAndNeverForGood() {
        var limiter = UnlockLimiter()
        var now = Instant(nanoseconds: 0)
        var delays: [Int] = []
        for _ in 0..<14 {
            if case .wait(let seconds) = limiter.begin(now: now) {
                delays.append(seconds)
                let almost = now + .milliseconds(seconds * 1000 - 1)
                expect(limiter.begin(now: almost), .wait(seconds: 1))
                now = now + .seconds(seconds)
                expect(limiter.begin(now: now), .go)
            } else {
                delays.append(0)
            }
            limiter.finish(opened: false, now: now, wall: WallTime(milliseconds: 0))
        }
        #expect(delays == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30])
        now = now + .seconds(30)
        expect(limiter.begin(now: now), .go)
        limiter.finish(opened: true, now: now, wall: WallTime(milliseconds: 0))
        expect(limiter.begin(now: now), .go)
    }

    @Test func failures_areReportedOnce() {
        var limiter = UnlockLimiter()
        for minute in 0..<2 {
            _ = limiter.begin(now: Instant(nanoseconds: 0))
            limiter.finish(opened: false, now: Instant(nanoseconds: 0), wall: WallTime(milliseconds: Int64(minute) * 60_000))
        }
        let failed = limiter.takeFailed()
        #expect(failed?.count == 2)
        #expect(failed?.since == WallTime(milliseconds: 0))
        let again = limiter.takeFailed()
        #expect(again == nil)
    }
}
