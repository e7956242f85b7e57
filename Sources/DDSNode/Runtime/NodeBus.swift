// The bus on the loop: a turn is delivered when the loop comes round, never inside a publisher.

package import DDSBus
package import DDSCore
package import DDSLoop

/// The process's event bus. Subscribers are called at the next loop turn with everything published since.
@LoopActor package final class NodeBus {
    package typealias Receiver = @LoopActor ([NodeEvent]) -> Void

    /// Events the trace keeps for SIGUSR1.
    private static var traceCapacity: Int { 4096 }

    private var bus = Bus(traceCapacity: NodeBus.traceCapacity)
    private var receivers: [SubscriberID: Receiver] = [:]
    private var turnScheduled = false
    private let time: any TimeSource

    package init(time: any TimeSource) {
        self.time = time
    }

    package func subscribe(
        _ topics: Topics, capacity: Int = 1024, policy: OverflowPolicy = .dropOldest, _ receiver: @escaping Receiver
    ) -> SubscriberID {
        let id = bus.subscribe(topics, capacity: capacity, policy: policy)
        receivers[id] = receiver
        return id
    }

    package func unsubscribe(_ id: SubscriberID) {
        bus.unsubscribe(id)
        receivers[id] = nil
    }

    package func publish(_ event: NodeEvent) {
        bus.publish(event, now: time.now)
        guard bus.hasDeliveries, !turnScheduled else { return }
        turnScheduled = true
        Loop.spawn(name: "bus") { [self] in deliver() }
    }

    /// The last events, oldest first.
    package var trace: [TracedEvent] { bus.trace }

    private func deliver() {
        turnScheduled = false
        for (id, events) in bus.takeDeliveries() { receivers[id]?(events) }
    }
}
