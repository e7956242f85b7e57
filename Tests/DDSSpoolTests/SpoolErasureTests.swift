// What is left on the medium of erased records: no key after the commit (E1), no body after maintenance (E2).

import DDSCore
import DDSSpool
import DDSTestKit
import Testing

@Suite struct SpoolErasureTests {
    @Test func erasedRecords_leaveNoSlotAtOnceAndNoBodyAfterMaintenance() throws {
        var run = try SpoolRun(seed: 9)
        run.cipher.recordCiphertexts()
        #expect(try run.play(SpoolScript.everything() + [.maintain]))
        try run.verifyErased()
        #expect(run.model.erased.count > 50)
        try expectNoBodies(run)
        #expect(try run.opened().statistics().awaitingOverwrite == 0)
    }

    @Test func stopBeforeTheBodyIsOverwritten_maintenanceOverwritesItLater() throws {
        var run = try SpoolRun(seed: 10)
        run.cipher.recordCiphertexts()
        var script = SpoolScript(seed: 3)
        script.add(.commit([script.record(1, 900), script.record(1, 700), script.record(1, 6000)]))
        script.add(.commit([script.erase([script.live[0], script.live[2]])]))
        #expect(try run.play(script.steps))
        let erased = try #require(run.model.erasedBodies.first.flatMap { run.cipher.ciphertexts(of: $0).last })
        #expect(run.disk.durablyContains(erased), "else this test shows nothing")
        run.crash()
        try run.verify()
        #expect(run.maintain(try run.opened()))
        try expectNoBodies(run)
        #expect(try !run.disk.list().contains { $0.hasPrefix("big-") })
    }

    @Test func lastDelivery_takesThePayloadWithIt() throws {
        var run = try SpoolRun(seed: 11)
        run.cipher.recordCiphertexts()
        var script = SpoolScript(seed: 3)
        #expect(try run.play([.commit([script.fanOut(3, payload: 800)])]))
        let log = try run.opened()
        #expect(try log.statistics().records == 4)
        #expect(try run.play([.commit([script.erase(Array(script.live.prefix(2)))])]))
        #expect(try log.statistics().records == 2)
        try run.model.verify(log)
        #expect(try run.play([.commit([script.erase(script.live)]), .maintain]))
        #expect(try log.statistics().records == 0)
        try run.verifyErased()
        try expectNoBodies(run)
    }

    @Test func stopBetweenDeliveryAndPayload_isFinishedByRecovery() throws {
        var finished = 0
        for seed in 1...40 as ClosedRange<UInt64> {
            // The payload is the last slot of one sector, its deliveries are in the next.
            var run = try SpoolRun(seed: seed)
            var script = SpoolScript(seed: 3)
            script.add(.commit((0..<3).map { _ in script.record(1, 5) } + [script.fanOut(3, payload: 60)]))
            script.add(.commit([script.record(1, 5)]))
            #expect(try run.play(script.steps))
            run.arm(SimFaults(stopAt: 3 + Int(seed % 3)))
            _ = try run.play([.commit([script.erase(Array(script.live[3..<6]))])])
            run.crash()
            try run.verify()
            finished += try run.opened().recovery.finishedErasures
        }
        #expect(finished > 0, "else this test shows nothing")
    }

    @Test func payloadByItself_isNotErased() throws {
        var run = try SpoolRun(seed: 12)
        var script = SpoolScript(seed: 3)
        let log = try run.opened()
        guard case .success(let uids) = log.commit([SpoolTransaction(appends: script.fanOut(2, payload: 80).appends)])[0] else {
            Issue.record("the fan-out is committed")
            return
        }
        #expect(log.commit([SpoolTransaction(erasures: [uids[0]])]) == [.success([])])
        #expect(try log.read(uids[0], offset: 0, count: 100).count == 80)
    }

    @Test func syncsThatDoNothing_areFoundByTheModel() throws {
        var found = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            var run = try SpoolRun(seed: seed)
            var faults = SimFaults()
            faults.losesSyncs = true
            run.arm(faults)
            _ = try run.play(SpoolScript.everything())
            run.crash()
            do { try run.verify() } catch { found += 1 }
        }
        #expect(found > 10)
    }

    private func expectNoBodies(_ run: SpoolRun) throws {
        for body in run.model.erasedBodies where body.count > 16 {
            let whole = run.cipher.ciphertexts(of: body).last ?? run.cipher.ciphertexts(of: Array(body.prefix(1024))).last
            let ciphertext = try #require(whole)
            #expect(!run.disk.durablyContains(Array(ciphertext.prefix(64))), "a body of \(body.count) bytes is on the medium")
        }
    }
}
