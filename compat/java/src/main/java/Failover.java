import com.tigerbeetle.AccountBatch;
import com.tigerbeetle.Client;
import com.tigerbeetle.CreateTransferResultBatch;
import com.tigerbeetle.IdBatch;
import com.tigerbeetle.TransferBatch;
import com.tigerbeetle.UInt128;
import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;

/** Transfers while replicas die (compat/README.md), by TigerBeetle's Java client. */
public final class Failover {
    private static final int BATCH = 10;
    private static final int LOOKUP_MAX = 8000;
    private static final int LEDGER = ThreadLocalRandom.current().nextInt(1, Integer.MAX_VALUE);

    private final Client client;
    private final byte[] debit = UInt128.id();
    private final byte[] credit = UInt128.id();
    private final List<byte[]> acknowledged = new ArrayList<>();
    private long longest; // nanoseconds

    private Failover(Client client) {
        this.client = client;
    }

    public static void main(String[] arguments) {
        String addresses = arguments[0].substring("--addresses=".length());
        Duration atLeast = Duration.ofSeconds(Long.parseLong(arguments[1].substring("--seconds=".length())));
        try (Client client = new Client(new byte[16], addresses.split(","))) {
            Failover failover = new Failover(client);
            failover.play(atLeast);
            failover.verify();
            System.out.printf(Locale.ROOT, "compat java failover: ok (%d transfers, longest wait %.1f s)%n",
                    failover.acknowledged.size(), failover.longest / 1e9);
        } catch (IllegalStateException unexpected) {
            System.out.println("compat java failover: " + unexpected.getMessage());
            System.exit(1);
        }
    }

    private static void check(String what, Object got, Object want) {
        if (!got.equals(want)) {
            throw new IllegalStateException(what + ": got " + got + ", want " + want);
        }
    }

    private void play(Duration atLeast) {
        AccountBatch accounts = new AccountBatch(2);
        for (byte[] id : List.of(debit, credit)) {
            accounts.add();
            accounts.setId(id);
            accounts.setLedger(LEDGER);
            accounts.setCode(1);
        }
        check("accounts that failed", client.createAccounts(accounts).getLength(), 0);
        for (long began = System.nanoTime(); System.nanoTime() - began < atLeast.toNanos(); ) {
            create();
        }
    }

    private void create() {
        TransferBatch batch = new TransferBatch(BATCH);
        for (int i = 0; i < BATCH; i++) {
            byte[] id = UInt128.id();
            acknowledged.add(id);
            batch.add();
            batch.setId(id);
            batch.setDebitAccountId(debit);
            batch.setCreditAccountId(credit);
            batch.setAmount(1);
            batch.setLedger(LEDGER);
            batch.setCode(1);
        }
        long began = System.nanoTime();
        CreateTransferResultBatch failed = client.createTransfers(batch);
        longest = Math.max(longest, System.nanoTime() - began);
        if (failed.next()) { // also if a transfer is there already
            throw new IllegalStateException("transfer: " + failed.getResult());
        }
    }

    /** Looks for what was acknowledged. */
    private void verify() {
        for (int first = 0; first < acknowledged.size(); first += LOOKUP_MAX) {
            List<byte[]> wanted =
                    acknowledged.subList(first, Math.min(first + LOOKUP_MAX, acknowledged.size()));
            TransferBatch found = client.lookupTransfers(new IdBatch(wanted.toArray(new byte[0][])));
            check("acknowledged transfers that are there", found.getLength(), wanted.size());
        }
        AccountBatch debited = client.lookupAccounts(new IdBatch(debit));
        check("the debited account is there", debited.next(), true);
        check("debits", debited.getDebitsPosted(), BigInteger.valueOf(acknowledged.size()));
    }
}
