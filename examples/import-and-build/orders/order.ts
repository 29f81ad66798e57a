/** One invented order, and how it is written: as a clean row, or broken in one of the ways that real files are. */
import { CUSTOMERS, COUNTRIES, NOTES, PRODUCTS, STATUSES, type Product } from './vocabulary.ts';
import type { Random } from './random.ts';

export const HEADER = [
  'order_id',
  'order_date',
  'customer',
  'country',
  'category',
  'product',
  'quantity',
  'unit_price',
  'discount',
  'total',
  'status',
  'note',
] as const;

/** The reasons that `load_data` must find; the names are its own. */
export type Fault =
  | 'too_few_columns'
  | 'too_many_columns'
  | 'unterminated_quote'
  | 'bad_number:quantity'
  | 'bad_number:unit_price'
  | 'bad_number:total'
  | 'bad_date:order_date';

export interface Order {
  id: string;
  date: string;
  customer: string;
  country: string;
  product: Product;
  quantity: number;
  unitCents: number;
  discountPercent: number;
  totalCents: number;
  status: string;
  note: string;
}

const FAULTS: readonly [Fault, ...Fault[]] = [
  'too_few_columns',
  'too_many_columns',
  'bad_number:quantity',
  'bad_number:unit_price',
  'bad_number:total',
  'bad_date:order_date',
];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function makeOrder(random: Random, number: number, date: string): Order {
  const product = PRODUCTS[random.integer(0, PRODUCTS.length - 1)] as Product;
  const quantity =
    product.cents < 3000 && random.chance(0.002) ? random.integer(1000, 1500) : 1 + Math.floor(random.next() ** 3 * 6);
  const unitCents = product.cents - random.integer(0, Math.floor(product.cents / 20));
  const discountPercent = random.chance(0.3) ? random.pick([5, 10, 15, 20]) : 0;
  return {
    id: `ORD-${String(100_000 + number)}`,
    date,
    product,
    quantity,
    unitCents,
    discountPercent,
    customer: random.chance(0.01) ? '' : random.pick(CUSTOMERS, 1.5),
    country: random.chance(0.01) ? '' : random.pick(COUNTRIES, 1.9),
    totalCents: Math.round((quantity * unitCents * (100 - discountPercent)) / 100),
    status: random.pick(STATUSES),
    note: random.chance(0.2) ? random.pick(NOTES) : '',
  };
}

/** About one row in 160 is broken. */
export function pickFault(random: Random): Fault | undefined {
  if (random.chance(0.0003)) return 'unterminated_quote';
  return random.chance(0.006) ? random.pick(FAULTS) : undefined;
}

/** The line of an order; dates with slashes are day first. */
export function lineOf(random: Random, order: Order, fault: Fault | undefined): string {
  const cells = [
    order.id,
    dateCell(random, order.date),
    order.customer,
    order.country,
    order.product.category,
    order.product.name,
    grouped(String(order.quantity)),
    moneyCell(random, order.unitCents),
    discountCell(random, order.discountPercent),
    moneyCell(random, order.totalCents),
    order.status,
    order.note,
  ];
  switch (fault) {
    case undefined:
      break;
    case 'too_few_columns':
      cells.splice(-random.integer(1, 5));
      break;
    case 'too_many_columns':
      cells.splice(-1, 1, 'see e-mail', 'forwarded');
      break;
    case 'bad_date:order_date':
      cells[1] = random.pick(['31/02/2026', '2026-13-01', 'yesterday', '2026-00-00']);
      break;
    case 'bad_number:quantity':
      cells[6] = random.pick(['two', '1 box', '?', '3x']);
      break;
    case 'bad_number:unit_price':
      cells[7] = random.pick(['free', '12.9.9', '#REF!']);
      break;
    case 'bad_number:total':
      cells[9] = random.pick(['#VALUE!', 'tbd', '$']);
      break;
    case 'unterminated_quote':
      return [...cells.slice(0, -1).map(written), '"Said he would call back'].join(',');
    default:
      return fault satisfies never;
  }
  return cells.map(written).join(',');
}

function written(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function dateCell(random: Random, date: string): string {
  const [year = '', month = '', day = ''] = date.split('-');
  const way = random.next();
  if (way < 0.6) return date;
  return way < 0.85 ? `${day}/${month}/${year}` : `${MONTHS[Number(month) - 1]} ${Number(day)}, ${year}`;
}

function moneyCell(random: Random, cents: number): string {
  const plain = (cents / 100).toFixed(2);
  const way = random.next();
  if (way < 0.8) return plain;
  return way < 0.9 ? `$${grouped(plain)}` : grouped(plain);
}

function discountCell(random: Random, percent: number): string {
  if (percent === 0) return random.chance(0.7) ? '' : '0';
  return random.chance(0.5) ? `${percent}%` : String(percent / 100);
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(?:\d{3})+(?!\d))(?<!\..*)/g, ',');
}
