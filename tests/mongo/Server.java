import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;
import java.util.List;

/** Serves an empty database on a free port of this machine, prints the port, and ends when its standard input does. */
class Server {
    public static void main(String[] args) throws Exception {
        MongoVersion version = new MongoVersion() { // the oldest that the Go driver talks to
            public List<Integer> getVersionArray() { return List.of(4, 4, 0); }
            public int getWireVersion() { return 9; }
        };
        MongoServer server = new MongoServer(new MemoryBackend().version(version));
        server.bind(new InetSocketAddress("127.0.0.1", 0));
        System.out.println(server.getLocalAddress().getPort());
        while (System.in.read() >= 0) { }
        System.exit(0);
    }
}
